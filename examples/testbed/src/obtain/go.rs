//! A program built by Go, which checks what it fetches against `go.sum` and keeps it.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Progress, command};
use crate::error::Error;

/// Builds it. The program appears under its name only when the build has ended.
pub(super) fn build(
    folder: &Path,
    [main, module, sums]: [&str; 3],
    binary: &str,
    progress: Progress<'_>,
) -> Result<(), Error> {
    for (name, text) in [("main.go", main), ("go.mod", module), ("go.sum", sums)] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Error::path("write", &path))?;
    }
    progress("go: building takes one to three minutes");
    let mut go = Command::new("go");
    // Without cgo it needs no C compiler and no library.
    go.env("CGO_ENABLED", "0").args(["build", "-v", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", binary]);
    command::run(&go, folder, "go", progress)
}

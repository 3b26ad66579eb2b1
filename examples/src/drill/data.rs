//! Which order lines a run is about.

use std::path::{Path, PathBuf};

use dcp_core::Error;

use crate::orders::Orders;

/// The bundled file.
#[must_use]
pub fn bundled() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join("online-retail.csv.zst")
}

/// Loads the bundled lines, checked by their digest, or a given file, parsed as a whole.
///
/// # Errors
/// `Invalid` with record number and field.
pub fn load(given: Option<&Path>, lines: Option<u64>) -> Result<Orders, Error> {
    match given {
        Some(path) => Orders::given(path, lines),
        None => Orders::bundled(&bundled(), lines),
    }
}

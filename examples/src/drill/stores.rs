//! The stores of processes that have ended, opened to look into them.

use std::path::Path;
use std::sync::Arc;

use dcp_core::Error;
use dcp_core::clock::SeededEntropy;
use dcp_core::ids::RegionId;
use dcp_core::state::embedded::{EmbeddedStateSettings, EmbeddedStateStore};
use dcp_core::store::embedded::{EmbeddedEventSettings, EmbeddedEventStore};

use crate::foundation::Foundation;

// Whoever looks reads each page about once.
const CACHE_BYTES: usize = 8 << 20;

// Opening creates what is not there; looking must not.
fn there(path: &Path) -> Result<(), Error> {
    if path.is_file() {
        return Ok(());
    }
    Err(Error::invalid("no-store", format!("{}: there is no store; is it the folder of a run?", path.display())))
}

/// The event store of a region.
///
/// # Errors
/// `Invalid` if there is none; `Refused` (`in-use`) while the region runs.
pub(super) fn events(foundation: &Foundation, region: &RegionId) -> Result<EmbeddedEventStore, Error> {
    let path = foundation.region_folder(region).join("events.redb");
    there(&path)?;
    // An existing store keeps its incarnation: nothing is drawn.
    let entropy = Arc::new(SeededEntropy::new(0, "look"));
    let settings = EmbeddedEventSettings::new(path, region.clone(), entropy).with_cache_bytes(CACHE_BYTES);
    EmbeddedEventStore::open(&settings)
}

/// A state store in a folder.
///
/// # Errors
/// As [`events`].
pub(super) fn state(folder: &Path, file: &str, region: &RegionId) -> Result<Arc<EmbeddedStateStore>, Error> {
    let path = folder.join(file);
    there(&path)?;
    let settings = EmbeddedStateSettings::new(path, region.clone()).with_cache_bytes(CACHE_BYTES);
    Ok(Arc::new(EmbeddedStateStore::open(&settings)?))
}

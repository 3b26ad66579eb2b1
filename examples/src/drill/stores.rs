//! The stores of processes that have ended, opened to look into them.

use std::path::Path;
use std::sync::Arc;

use dcp_core::Error;
use dcp_core::clock::{Clock, SeededEntropy, SystemClock};
use dcp_core::ids::RegionId;
use dcp_core::state::embedded::{EmbeddedStateSettings, EmbeddedStateStore};
use dcp_core::store::embedded::{EmbeddedEventSettings, EmbeddedEventStore};
use serde::Deserialize;

use super::folder::RECORD;
use super::progress::Say;
use super::servers::Servers;
use crate::event_store::{self, EventsAt, OpenEvents, StoreKind};
use crate::foundation::{Foundation, read_json};
use crate::orders::Home;

// Whoever looks reads each page about once.
const CACHE_BYTES: usize = 8 << 20;

// Opening creates what is not there; looking must not.
fn there(path: &Path) -> Result<(), Error> {
    if path.exists() {
        return Ok(());
    }
    Err(Error::invalid("no-store", format!("{}: there is no store; is it the folder of a run?", path.display())))
}

/// What holds the events of the run in a folder; a file where no run is.
///
/// # Errors
/// `Invalid` if the run's record cannot be read.
pub fn kind_of(dir: &Path) -> Result<StoreKind, Error> {
    #[derive(Deserialize)]
    struct Held {
        #[serde(default)]
        store: StoreKind,
    }
    let path = dir.join(RECORD);
    if !path.exists() {
        return Ok(StoreKind::default());
    }
    Ok(read_json::<Held>(&path)?.store)
}

/// The event stores of a run's regions; where they are in servers, those run until this is let go of.
#[derive(Debug)]
pub(super) struct EventStores {
    foundation: Foundation,
    servers: Servers,
}

impl EventStores {
    /// Those of these regions.
    ///
    /// # Errors
    /// `Invalid` if there are none; `Refused` (`in-use`) while a drill has the servers; otherwise what a
    /// server's start answers.
    pub(super) async fn of(dir: &Path, homes: &[Home]) -> Result<Self, Error> {
        let (kind, foundation) = (kind_of(dir)?, Foundation::at(dir));
        let mut servers = Servers::of(kind, dir, Say::plain());
        for home in homes {
            match kind {
                StoreKind::Embedded => there(&foundation.region_folder(&home.region_id()).join(event_store::FILE))?,
                _ => there(&servers.data(*home))?,
            }
        }
        Box::pin(servers.start(homes)).await?;
        Ok(Self { foundation, servers })
    }

    /// The event store of one of them.
    ///
    /// # Errors
    /// `Refused` (`in-use`) while the region runs; what the store answers.
    pub(super) async fn open(&self, home: Home) -> Result<OpenEvents, Error> {
        let region = home.region_id();
        let folder = self.foundation.region_folder(&region);
        // An existing store keeps its incarnation. Should its server hold none yet, the one that is made now is no
        // other store's.
        let entropy = Arc::new(SeededEntropy::from_system()?);
        match self.servers.events(home)? {
            EventsAt::Folder => {
                let settings = EmbeddedEventSettings::new(folder.join(event_store::FILE), region, entropy);
                Ok(EmbeddedEventStore::open(&settings.with_cache_bytes(CACHE_BYTES))?.into())
            }
            at => {
                let (treaty, clock) = (self.foundation.treaty()?, Arc::new(SystemClock::new()) as Arc<dyn Clock>);
                Box::pin(event_store::open(&at, &folder, &region, &treaty, entropy, &clock)).await
            }
        }
    }

    /// Stops the servers.
    pub(super) async fn close(self) {
        self.servers.stop().await;
    }
}

/// A state store in a folder.
///
/// # Errors
/// `Invalid` if there is none; `Refused` (`in-use`) while its process runs.
pub(super) fn state(folder: &Path, file: &str, region: &RegionId) -> Result<Arc<EmbeddedStateStore>, Error> {
    let path = folder.join(file);
    there(&path)?;
    let settings = EmbeddedStateSettings::new(path, region.clone()).with_cache_bytes(CACHE_BYTES);
    Ok(Arc::new(EmbeddedStateStore::open(&settings)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_a_word_of_its_store_is_one_in_files() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(kind_of(folder.path()).unwrap(), StoreKind::Embedded);
        let record = |text: &str| std::fs::write(folder.path().join(RECORD), text).unwrap();
        record("{\"run\":\"drill-1\"}");
        assert_eq!(kind_of(folder.path()).unwrap(), StoreKind::Embedded);
        record("{\"run\":\"drill-1\",\"store\":\"postgres\"}");
        assert_eq!(kind_of(folder.path()).unwrap(), StoreKind::Postgres);
        record("{\"store\":\"paper\"}");
        assert_eq!(kind_of(folder.path()).unwrap_err().code(), "bad-file");
    }
}

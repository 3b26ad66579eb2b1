//! Where a region's events are: in a file of its own, or in a server. Everything else of a region is the
//! same on each.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use clap::ValueEnum;
use dcp_core::Error;
use dcp_core::clock::{Clock, Entropy};
use dcp_core::ids::RegionId;
use dcp_core::ports::EventStore;
use dcp_core::store::embedded::{EmbeddedEventSettings, EmbeddedEventStore};
use dcp_core::treaty::Treaty;
use serde::{Deserialize, Serialize};

use crate::foundation::once_free;

#[cfg(feature = "servers")]
mod kafka;
#[cfg(feature = "servers")]
mod postgres;

/// The file of the embedded store, in the region's folder.
pub const FILE: &str = "events.redb";

/// What holds the events of each region of a drill.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum StoreKind {
    /// A file of the region's process; needs nothing else.
    #[default]
    Embedded,
    /// A Postgres server for each region.
    Postgres,
    /// A Kafka cluster for each region.
    Kafka,
}

impl StoreKind {
    /// As it is named on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Postgres => "postgres",
            Self::Kafka => "kafka",
        }
    }
}

/// Where one region finds its events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum EventsAt {
    /// In a file in its own folder.
    #[default]
    Folder,
    /// In a Postgres database: `postgres://USER@HOST:PORT/DATABASE`.
    Postgres(String),
    /// In the topics of a Kafka cluster: `kafka://HOST:PORT,HOST:PORT`, without the scheme.
    Kafka(String),
}

impl FromStr for EventsAt {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            None if text == "folder" => Ok(Self::Folder),
            Some(("postgres", _)) => Ok(Self::Postgres(text.to_owned())),
            Some(("kafka", brokers)) if !brokers.is_empty() => Ok(Self::Kafka(brokers.to_owned())),
            _ => Err(format!("{text:?}: expected folder, postgres://USER@HOST:PORT/DATABASE or kafka://HOST:PORT")),
        }
    }
}

impl fmt::Display for EventsAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder => f.write_str("folder"),
            Self::Postgres(url) => f.write_str(url),
            Self::Kafka(brokers) => write!(f, "kafka://{brokers}"),
        }
    }
}

/// An open event store.
#[derive(Debug)]
pub struct OpenEvents {
    store: Arc<dyn EventStore>,
    // Only a file has to be let go of.
    file: Option<Arc<EmbeddedEventStore>>,
}

impl OpenEvents {
    /// The store.
    #[must_use]
    pub fn store(&self) -> Arc<dyn EventStore> {
        Arc::clone(&self.store)
    }

    /// Lets go of it; what was committed stays.
    pub async fn close(self) {
        if let Some(file) = self.file {
            file.close().await;
        }
    }
}

impl From<EmbeddedEventStore> for OpenEvents {
    fn from(file: EmbeddedEventStore) -> Self {
        let file = Arc::new(file);
        Self { store: Arc::clone(&file) as _, file: Some(file) }
    }
}

/// Opens a region's events, or makes them. `folder` is the region's own; `entropy` is the system's: a store
/// that is made anew holds another history.
///
/// # Errors
/// What the store answers; `Invalid` (`not-built`) if this program was built without the store's client.
pub async fn open(
    at: &EventsAt,
    folder: &Path,
    region: &RegionId,
    treaty: &Treaty,
    entropy: Arc<dyn Entropy>,
    clock: &Arc<dyn Clock>,
) -> Result<OpenEvents, Error> {
    match at {
        EventsAt::Folder => {
            let settings = EmbeddedEventSettings::new(folder.join(FILE), region.clone(), entropy);
            Ok(once_free(&**clock, || EmbeddedEventStore::open(&settings)).await?.into())
        }
        #[cfg(feature = "servers")]
        EventsAt::Postgres(url) => {
            let store = postgres::open(url, region, entropy, &**clock).await?;
            Ok(OpenEvents { store, file: None })
        }
        #[cfg(feature = "servers")]
        EventsAt::Kafka(brokers) => {
            let store = kafka::open(brokers, region, treaty, entropy, clock).await?;
            Ok(OpenEvents { store, file: None })
        }
        #[cfg(not(feature = "servers"))]
        EventsAt::Postgres(_) | EventsAt::Kafka(_) => {
            let _ = treaty;
            Err(Error::invalid("not-built", format!("{at}: built without the feature `servers` of `examples`")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["folder", "postgres://postgres@127.0.0.1:15000/postgres", "kafka://127.0.0.1:15000,b:9092"] {
            assert_eq!(text.parse::<EventsAt>().unwrap().to_string(), text);
        }
        for text in ["", "file", "mysql://x", "kafka://"] {
            assert!(text.parse::<EventsAt>().is_err(), "{text}");
        }
    }
}

//! What is measured: a store on a server, and what a program without the store would do there.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::ports::event_store::EventStore;

use crate::kafka::Kafka;
use crate::postgres::Postgres;
use crate::produce::Target;

#[async_trait]
pub(crate) trait Subject {
    /// A fresh store.
    async fn store(&self) -> Arc<dyn EventStore>;

    /// The same events without the store.
    async fn rival(&self) -> Box<dyn Target>;

    /// What the rival does, in words.
    fn rival_is(&self) -> &'static str;

    /// How the server was started, in words.
    fn conditions(&self) -> String;

    /// Batches a partition, and events in each, that are appended before anything is read.
    fn fill(&self) -> Option<(usize, usize)> {
        None
    }

    /// Whether all logs are read at once, because the rival does.
    fn reads_together(&self) -> bool {
        false
    }

    /// Reads what the rival wrote, or this many records of the store's, from the first one on; or why it
    /// cannot.
    async fn read_rival(&self, records: u64) -> Result<Read, String>;
}

/// What a reading took.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) records: u64,
    pub(crate) seconds: f64,
    /// Of the reader alone.
    pub(crate) cpu_seconds: Option<f64>,
}

impl Read {
    /// Records a second.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.records).unwrap_or(u32::MAX)) / self.seconds
    }
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} records/s ({} in {:.2} s", self.rate(), self.records, self.seconds)?;
        if let Some(seconds) = self.cpu_seconds {
            write!(f, ", {seconds:.2} CPU-seconds")?;
        }
        f.write_str(")")
    }
}

/// Starts the server of that store.
pub(crate) fn start(store: &str) -> Result<Box<dyn Subject>, String> {
    match store {
        "postgres" => Ok(Box::new(Postgres::start().map_err(|error| error.to_string())?)),
        "kafka" => Ok(Box::new(Kafka::start().map_err(|error| error.to_string())?)),
        other => Err(format!("there is no store {other}; there are postgres and kafka")),
    }
}

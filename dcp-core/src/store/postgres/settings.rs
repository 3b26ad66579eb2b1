//! How a store reaches its server.

use std::time::Duration;

use crate::error::Error;
use crate::ids::RegionId;

/// Settings of a [`PostgresEventStore`](super::PostgresEventStore).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PostgresEventSettings {
    /// The region whose store it is.
    pub region: RegionId,
    /// Schema that holds the store's tables (`dcp`).
    pub schema: String,
    /// How long one transaction may take, from waiting for a connection to its answer (5 s). The
    /// server gives up by itself after the same time.
    pub deadline: Duration,
    /// How often the server is asked for new records while somebody waits for them (20 ms). One
    /// question serves all readers.
    pub poll: Duration,
}

impl PostgresEventSettings {
    /// Settings with the defaults named at the fields.
    #[must_use]
    pub fn new(region: RegionId) -> Self {
        let (deadline, poll) = (Duration::from_secs(5), Duration::from_millis(20));
        Self { region, schema: "dcp".to_owned(), deadline, poll }
    }

    /// With another schema: a letter, then letters, digits and `_`, all lower case, at most 63.
    #[must_use]
    pub fn with_schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// With another deadline, of at least 10 ms.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// With another interval of asking for new records, of at least 1 ms.
    #[must_use]
    pub fn with_poll(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let mut letters = self.schema.bytes();
        let lawful = letters.next().is_some_and(|first| first.is_ascii_lowercase())
            && letters.all(|next| next.is_ascii_lowercase() || next.is_ascii_digit() || next == b'_')
            && self.schema.len() <= 63;
        if !lawful {
            let message = format!("schema {:?}: a letter, then letters, digits and _, all lower case", self.schema);
            return Err(Error::invalid("bad-schema-name", message));
        }
        if self.deadline < Duration::from_millis(10) || self.poll < Duration::from_millis(1) {
            let message = format!("deadline {:?} (from 10 ms), poll {:?} (from 1 ms)", self.deadline, self.poll);
            return Err(Error::invalid("bad-interval", message));
        }
        Ok(())
    }
}

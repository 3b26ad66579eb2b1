//! What a link copies, how fast, and how patiently.

use std::collections::BTreeSet;
use std::time::Duration;

use dcp_core::Error;
use dcp_core::ids::{LinkId, RegionId};
use dcp_core::log::LogId;
use dcp_core::ports::event_store::{BATCH_MAX_BYTES, BATCH_MAX_EVENTS, EVENT_MAX_BYTES};

/// Most logs of one link, companions included.
pub const LOGS_MAX: usize = 2_000;
/// Most logs that one link copies at once.
pub const LANES_MAX: usize = 64;

/// Settings of one [`StoreLink`](crate::StoreLink). Every bound has a default.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LinkSettings {
    /// The link's name; it names the durable state and the cursors, so that it must not change
    /// while the link lives.
    pub id: LinkId,
    /// The region whose logs are copied.
    pub source: RegionId,
    /// What is copied: the users' logs and the companion log of each of their scopes.
    pub logs: BTreeSet<LogId>,
    /// How long to rest once nothing is left to copy; 1 ms to 60 s, default 25 ms.
    pub poll: Duration,
    /// Most records in one batch; 1 to [`BATCH_MAX_EVENTS`], default 1,000.
    pub batch_records: usize,
    /// Most bytes in one batch, beyond its first record; at least [`EVENT_MAX_BYTES`], at most that
    /// less than [`BATCH_MAX_BYTES`], default 4 MiB.
    pub batch_bytes: usize,
    /// How many logs are copied at once; 1 to [`LANES_MAX`], default 4.
    pub lanes: usize,
    /// Users' records per second at the start; none: as fast as it goes. Companion logs are never
    /// throttled, so that the lag stays visible.
    pub records_per_second: Option<u64>,
    /// How long one call to the source may take; default 2 s.
    pub call_timeout: Duration,
    /// First pause after a failed call; default 50 ms.
    pub backoff_first: Duration,
    /// Longest pause between two attempts to reach the source; default 2 s.
    pub backoff_most: Duration,
}

impl LinkSettings {
    /// Settings with defaults, for these users' logs and the companion log of each of their scopes.
    ///
    /// # Errors
    /// `Refused` for a log of another origin than `source`: copying it could close a loop (L9).
    /// `Invalid` if a scope's name leaves no room for its companion's, or for no log at all or
    /// more than [`LOGS_MAX`].
    pub fn new(id: LinkId, source: RegionId, logs: impl IntoIterator<Item = LogId>) -> Result<Self, Error> {
        let mut all: BTreeSet<LogId> = logs.into_iter().collect();
        let scopes: BTreeSet<_> = all.iter().filter(|log| !log.is_companion()).map(|log| log.scope().clone()).collect();
        for scope in &scopes {
            all.insert(LogId::heartbeats(scope, &source)?);
        }
        let settings = Self {
            id,
            source,
            logs: all,
            poll: Duration::from_millis(25),
            batch_records: 1_000,
            batch_bytes: 4 << 20,
            lanes: 4,
            records_per_second: None,
            call_timeout: Duration::from_secs(2),
            backoff_first: Duration::from_millis(50),
            backoff_most: Duration::from_secs(2),
        };
        settings.check()?;
        Ok(settings)
    }

    /// Rests this long once nothing is left to copy.
    #[must_use]
    pub fn with_poll(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }

    /// Bounds one batch by records and by bytes.
    #[must_use]
    pub fn with_batch(mut self, records: usize, bytes: usize) -> Self {
        self.batch_records = records;
        self.batch_bytes = bytes;
        self
    }

    /// Copies this many logs at once.
    #[must_use]
    pub fn with_lanes(mut self, lanes: usize) -> Self {
        self.lanes = lanes;
        self
    }

    /// Starts throttled.
    #[must_use]
    pub fn with_throttle(mut self, records_per_second: Option<u64>) -> Self {
        self.records_per_second = records_per_second;
        self
    }

    /// Bounds one call to the source.
    #[must_use]
    pub fn with_call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// Bounds the pauses between attempts to reach the source.
    #[must_use]
    pub fn with_backoff(mut self, first: Duration, most: Duration) -> Self {
        self.backoff_first = first;
        self.backoff_most = most;
        self
    }

    /// Checks every bound; [`StoreLink::new`](crate::StoreLink::new) calls it.
    ///
    /// # Errors
    /// `Refused` for a log of another origin, `Invalid` with the setting that is out of its range.
    pub fn check(&self) -> Result<(), Error> {
        if let Some(foreign) = self.logs.iter().find(|log| log.origin() != &self.source) {
            return Err(Error::refused(
                "foreign-origin",
                format!("{foreign}: link {} copies only logs whose origin is {}", self.id, self.source),
            ));
        }
        let bounds = [
            ("logs", (1..=LOGS_MAX).contains(&self.logs.len())),
            ("poll", (Duration::from_millis(1)..=Duration::from_secs(60)).contains(&self.poll)),
            ("batch_records", (1..=BATCH_MAX_EVENTS).contains(&self.batch_records)),
            ("batch_bytes", (EVENT_MAX_BYTES..=BATCH_MAX_BYTES - EVENT_MAX_BYTES).contains(&self.batch_bytes)),
            ("lanes", (1..=LANES_MAX).contains(&self.lanes)),
            ("call_timeout", !self.call_timeout.is_zero()),
            ("backoff", !self.backoff_first.is_zero() && self.backoff_first <= self.backoff_most),
        ];
        match bounds.iter().find(|(_, holds)| !holds) {
            Some((setting, _)) => {
                Err(Error::invalid("bad-link-setting", format!("link {}: {setting} is out of its range", self.id)))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(origin: &str) -> LogId {
        LogId::new("orders".parse().unwrap(), origin.parse().unwrap(), 0)
    }

    #[test]
    fn companions_are_added_and_foreign_origins_refused() {
        let west: RegionId = "west".parse().unwrap();
        let settings = LinkSettings::new("west-east".parse().unwrap(), west.clone(), [log("west")]).unwrap();
        assert!(settings.logs.contains(&LogId::heartbeats(log("west").scope(), &west).unwrap()));
        let refused = LinkSettings::new("west-east".parse().unwrap(), west, [log("west"), log("east")]).unwrap_err();
        assert_eq!(refused.code(), "foreign-origin");
    }

    #[test]
    fn each_bound_is_checked() {
        let good = LinkSettings::new("l".parse().unwrap(), "west".parse().unwrap(), [log("west")]).unwrap();
        let second = Duration::from_secs(1);
        for bad in [
            good.clone().with_poll(Duration::ZERO),
            good.clone().with_batch(0, EVENT_MAX_BYTES),
            good.clone().with_batch(1, 10),
            good.clone().with_batch(1, BATCH_MAX_BYTES),
            good.clone().with_lanes(0),
            good.clone().with_call_timeout(Duration::ZERO),
            good.with_backoff(second, second / 2),
        ] {
            assert_eq!(bad.check().unwrap_err().code(), "bad-link-setting");
        }
    }
}

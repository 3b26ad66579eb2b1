//! Bounds of a projector.

use std::time::Duration;

use dcp_core::Error;
use dcp_core::log::LogId;

/// What a projector follows, and its bounds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProjectorSettings {
    /// The logs to follow: own ones and mirrors, all logs of each scope. No companions.
    pub logs: Vec<LogId>,
    /// Most events in one commit, about; 2,000 by default.
    pub batch_events: usize,
    /// How long to rest when nothing is new; 20 ms by default.
    pub poll: Duration,
    /// Most rows that each projection keeps in memory between commits; 200,000 by default.
    pub cache_rows: usize,
    /// Most dirty streams folded again in one commit; 4,096 by default.
    pub refold_streams: usize,
}

impl ProjectorSettings {
    /// These logs, with the default bounds.
    ///
    /// # Errors
    /// `Invalid` if there is no log, or if one is a companion log or named twice.
    pub fn new(mut logs: Vec<LogId>) -> Result<Self, Error> {
        logs.sort();
        if logs.is_empty() {
            return Err(Error::invalid("no-logs", "a projector needs at least one log to follow"));
        }
        if let Some(log) = logs.iter().find(|log| log.is_companion()) {
            return Err(Error::invalid("companion-log", format!("{log}: a companion log holds no users' events")));
        }
        if let Some(pair) = logs.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::invalid("log-named-twice", format!("{}: named twice", pair[0])));
        }
        Ok(Self {
            logs,
            batch_events: 2_000,
            poll: Duration::from_millis(20),
            cache_rows: 200_000,
            refold_streams: 4_096,
        })
    }

    /// With another batch size, 1 to 10,000 events.
    #[must_use]
    pub fn with_batch_events(mut self, events: usize) -> Self {
        self.batch_events = events.clamp(1, 10_000);
        self
    }

    /// With another rest when nothing is new.
    #[must_use]
    pub fn with_poll(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }

    /// With another number of streams folded again in one commit, at least 1.
    #[must_use]
    pub fn with_refold_streams(mut self, streams: usize) -> Self {
        self.refold_streams = streams.max(1);
        self
    }
}

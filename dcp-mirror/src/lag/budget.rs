//! Lag budgets.

use std::time::Duration;

use dcp_core::log::LogId;
use dcp_core::ports::LinkStatus;

/// How far a mirror may be behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct LagBudget {
    /// Most records of one log known at the source and not here.
    pub records: u64,
    /// Greatest age of the newest applied heartbeat.
    pub age: Duration,
}

/// How a link exceeds its budget.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LagExcess {
    /// A log lags by more records.
    Records {
        /// The log.
        log: LogId,
        /// By how many.
        records: u64,
    },
    /// The newest applied heartbeat is older.
    Age {
        /// How old.
        age: Duration,
    },
    /// No heartbeat has been applied yet, so that the lag in seconds is not known.
    AgeUnknown,
}

impl LagBudget {
    /// Everything that exceeds the budget; nothing: within it. Pure.
    #[must_use]
    pub fn excess(&self, status: &LinkStatus) -> Vec<LagExcess> {
        let over = status.logs.iter().filter(|(_, progress)| progress.lag_records() > self.records);
        let records =
            over.map(|(log, progress)| LagExcess::Records { log: log.clone(), records: progress.lag_records() });
        let age = match status.heartbeat_age {
            None => Some(LagExcess::AgeUnknown),
            Some(age) => (age > self.age).then_some(LagExcess::Age { age }),
        };
        records.chain(age).collect()
    }
}

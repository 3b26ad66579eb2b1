//! What a takeover declares: the recovery point, before the lost region can be asked.

use std::collections::BTreeMap;
use std::time::Duration;

use dcp_core::clock::Moment;
use dcp_core::log::LogId;
use dcp_core::position::PrefixDigest;
use serde::{Deserialize, Serialize};

use super::HeartbeatTracker;

/// How much of one log may be missing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Declared {
    /// A bound: nothing that the source held longer ago than this is missing. It is the age of the
    /// newest heartbeat that is applied for the log; none if none has arrived and been applied
    /// since this process began, so that no bound is known.
    pub seconds: Option<Duration>,
    /// An estimate: the source's count as last known, less what is here. Records that the source
    /// took after it was last heard are not in it.
    pub records: u64,
}

impl HeartbeatTracker {
    /// Per log what may be missing. A log that its region does not write now (its slice is owned
    /// elsewhere) and that is complete as far as known is left out: it does not lag.
    pub(crate) fn declare(
        &self,
        now: Moment,
        applied: &BTreeMap<LogId, PrefixDigest>,
        known: &BTreeMap<LogId, u64>,
    ) -> BTreeMap<LogId, Declared> {
        let users = applied.iter().filter(|(log, _)| !log.is_companion());
        users
            .filter_map(|(log, have)| {
                let state = self.of_log(log);
                let records = known.get(log).copied().unwrap_or(0).saturating_sub(have.count);
                let seconds = state.and_then(|state| state.logs_at.get(log)).map(|at| now.since(*at));
                let silent = state.is_none_or(|state| state.sequence == 0);
                let written = state.is_some_and(|state| state.newest.contains_key(log));
                (silent || written || records > 0).then(|| (log.clone(), Declared { seconds, records }))
            })
            .collect()
    }
}

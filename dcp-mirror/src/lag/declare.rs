//! What a takeover declares: the recovery point, before the lost region can be asked.

use std::collections::BTreeMap;

use dcp_core::clock::Moment;
use dcp_core::log::LogId;
use dcp_core::ports::Exposure;
use dcp_core::position::PrefixDigest;

use super::HeartbeatTracker;

impl HeartbeatTracker {
    /// Per log what may be missing. A log that its region does not write now (its slice is owned
    /// elsewhere) and that is complete as far as known is left out: it does not lag.
    ///
    /// The seconds come from the reads of the source and not from its heartbeats: a heartbeat names
    /// ends that were read before it was written, however long its commit took.
    pub(crate) fn declare(
        &self,
        now: Moment,
        applied: &BTreeMap<LogId, PrefixDigest>,
        known: &BTreeMap<LogId, u64>,
    ) -> BTreeMap<LogId, Exposure> {
        let users = applied.iter().filter(|(log, _)| !log.is_companion());
        users
            .filter_map(|(log, have)| {
                let state = self.of_log(log);
                let declared_records = known.get(log).copied().unwrap_or(0).saturating_sub(have.count);
                let complete = self.reads.complete_as_of(log);
                let declared_seconds = complete.map(|at| now.since(at).as_secs_f64());
                let silent = state.is_none_or(|state| state.sequence == 0);
                let written = state.is_some_and(|state| state.newest.contains_key(log));
                let may_lag = silent || written || declared_records > 0;
                may_lag.then(|| (log.clone(), Exposure { declared_seconds, declared_records }))
            })
            .collect()
    }
}

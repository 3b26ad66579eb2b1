//! Lag in seconds, by the local arrival of the source's own heartbeats; budgets; what a takeover
//! declares. Pure: moments are handed in, and they are all of the local clock.

mod budget;
mod declare;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use dcp_core::clock::Moment;
use dcp_core::log::LogId;
use dcp_core::position::PrefixDigest;

use crate::heartbeat::Heartbeat;

pub use budget::{LagBudget, LagExcess};
pub use declare::Declared;

/// Most heartbeats remembered while the mirror has not reached what they name. Beyond it every
/// second one is forgotten, which makes the lag look older, never younger.
const WAITING_MAX: usize = 1_024;

/// A heartbeat that has arrived and is not applied yet.
#[derive(Debug, Clone)]
struct Waiting {
    at: Moment,
    ends: BTreeMap<LogId, PrefixDigest>,
}

/// What the heartbeats of one companion log say.
#[derive(Debug, Clone, Default)]
struct Companion {
    /// Highest sequence seen; only a higher one is new.
    sequence: u64,
    /// What the newest one names.
    newest: BTreeMap<LogId, PrefixDigest>,
    waiting: VecDeque<Waiting>,
    /// Arrival of the newest one whose every end is reached.
    applied_at: Option<Moment>,
    /// Per log: arrival of the newest one whose end for it is reached.
    logs_at: BTreeMap<LogId, Moment>,
}

/// Follows the heartbeats of a link's companion logs.
#[derive(Debug, Clone)]
pub(crate) struct HeartbeatTracker {
    companions: BTreeMap<LogId, Companion>,
}

impl HeartbeatTracker {
    /// A tracker for these companion logs.
    pub(crate) fn new(companions: impl IntoIterator<Item = LogId>) -> Self {
        Self { companions: companions.into_iter().map(|log| (log, Companion::default())).collect() }
    }

    /// Takes a heartbeat that was held before this process began: what it names is known, when it
    /// arrived is not.
    pub(crate) fn restore(&mut self, companion: &LogId, heartbeat: Heartbeat) {
        let Some(state) = self.companions.get_mut(companion) else { return };
        if heartbeat.sequence > state.sequence {
            state.sequence = heartbeat.sequence;
            state.newest = heartbeat.ends;
        }
    }

    /// Takes a heartbeat that has arrived now; a sequence that was seen before is not new.
    /// Answers whether it was new.
    pub(crate) fn arrived(&mut self, companion: &LogId, heartbeat: Heartbeat, at: Moment) -> bool {
        let Some(state) = self.companions.get_mut(companion) else { return false };
        if heartbeat.sequence <= state.sequence {
            return false;
        }
        if state.waiting.len() >= WAITING_MAX {
            let mut index = 0_usize;
            state.waiting.retain(|_| {
                index += 1;
                index.is_multiple_of(2)
            });
        }
        state.sequence = heartbeat.sequence;
        state.newest.clone_from(&heartbeat.ends);
        state.waiting.push_back(Waiting { at, ends: heartbeat.ends });
        true
    }

    /// Takes how far the mirror is.
    pub(crate) fn settle(&mut self, applied: &BTreeMap<LogId, PrefixDigest>) {
        let reached = |log: &LogId, end: &PrefixDigest| applied.get(log).is_none_or(|have| have.count >= end.count);
        for state in self.companions.values_mut() {
            for waiting in &mut state.waiting {
                waiting.ends.retain(|log, end| {
                    if reached(log, end) {
                        let at = state.logs_at.entry(log.clone()).or_insert(waiting.at);
                        *at = (*at).max(waiting.at);
                        return false;
                    }
                    true
                });
            }
            while state.waiting.front().is_some_and(|waiting| waiting.ends.is_empty()) {
                state.applied_at = state.waiting.pop_front().map(|waiting| waiting.at);
            }
        }
    }

    /// How long ago the newest applied heartbeat arrived, over the scope that is worst off; none
    /// while some scope has none yet.
    pub(crate) fn age(&self, now: Moment) -> Option<Duration> {
        let ages = self.companions.values().map(|state| state.applied_at.map(|at| now.since(at)));
        ages.reduce(|one, other| one.zip(other).map(|(one, other)| one.max(other))).flatten()
    }

    /// The source's counts, as its newest heartbeats name them.
    pub(crate) fn named_counts(&self) -> impl Iterator<Item = (&LogId, u64)> {
        self.companions.values().flat_map(|state| state.newest.iter().map(|(log, end)| (log, end.count)))
    }

    fn of_log(&self, log: &LogId) -> Option<&Companion> {
        let companion = LogId::heartbeats(log.scope(), log.origin()).ok()?;
        self.companions.get(&companion)
    }
}

#[cfg(test)]
mod tests;

//! Lag in seconds, by the source's own heartbeats and by when it was read; budgets; what a takeover
//! declares. Pure: moments are handed in, and they are all of the local clock.

mod budget;
mod declare;
mod reads;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use dcp_core::clock::Moment;
use dcp_core::log::LogId;
use dcp_core::position::PrefixDigest;

use self::reads::SourceReads;
use crate::heartbeat::Heartbeat;

pub use budget::{LagBudget, LagExcess};

/// Most heartbeats remembered while the mirror has not reached what they name. Beyond it every
/// second one is forgotten, which makes the lag look older, never younger.
const WAITING_MAX: usize = 1_024;

/// A heartbeat that has arrived and is not applied yet; it was written at `at` or later.
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
    /// Not before this was the newest one written whose every end is reached.
    applied_at: Option<Moment>,
}

/// Follows the heartbeats of a link's companion logs.
#[derive(Debug, Clone)]
pub(crate) struct HeartbeatTracker {
    companions: BTreeMap<LogId, Companion>,
    reads: SourceReads,
}

impl HeartbeatTracker {
    /// A tracker for these companion logs.
    pub(crate) fn new(companions: impl IntoIterator<Item = LogId>) -> Self {
        let companions = companions.into_iter().map(|log| (log, Companion::default())).collect();
        Self { companions, reads: SourceReads::default() }
    }

    /// Takes a read of the source's counts that was sent at `asked`.
    pub(crate) fn showed<'a>(&mut self, asked: Moment, counts: impl IntoIterator<Item = (&'a LogId, u64)>) {
        self.reads.showed(asked, counts);
    }

    /// Takes a heartbeat that was held before this process began: what it names is known, when it
    /// was written is not.
    pub(crate) fn restore(&mut self, companion: &LogId, heartbeat: Heartbeat) {
        let Some(state) = self.companions.get_mut(companion) else { return };
        if heartbeat.sequence > state.sequence {
            state.sequence = heartbeat.sequence;
            state.newest = heartbeat.ends;
        }
    }

    /// Takes a heartbeat that has arrived; a sequence that was seen before is not new. However late
    /// it arrives, it counts from when the newest read was sent that did not show it; of one that the
    /// first read of this process showed, only what it names is known. Answers whether it was new.
    pub(crate) fn arrived(&mut self, companion: &LogId, heartbeat: Heartbeat) -> bool {
        let Some(state) = self.companions.get_mut(companion) else { return false };
        if heartbeat.sequence <= state.sequence {
            return false;
        }
        let Some(at) = self.reads.newest_without(companion, heartbeat.sequence) else {
            self.restore(companion, heartbeat);
            return true;
        };
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
                waiting.ends.retain(|log, end| !reached(log, end));
            }
            while state.waiting.front().is_some_and(|waiting| waiting.ends.is_empty()) {
                state.applied_at = state.waiting.pop_front().map(|waiting| waiting.at);
            }
        }
        self.reads.settle(applied);
    }

    /// How long ago, at the most, the newest applied heartbeat was written, over the scope that is worst off; none
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

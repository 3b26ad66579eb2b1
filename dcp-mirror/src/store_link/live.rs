//! What is volatile of a link and shared between its worker and its callers.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dcp_core::clock::Moment;
use dcp_core::log::LogId;
use dcp_core::ports::{Exposure, LinkState};
use dcp_core::position::{Cut, PrefixDigest};
use tokio_util::sync::CancellationToken;

use crate::heartbeat::Heartbeat;
use crate::lag::HeartbeatTracker;
use crate::settings::LinkSettings;
use crate::throttle::Throttle;

/// Guarded by one lock that is never held across an await.
#[derive(Debug)]
pub(super) struct Live(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    adopted: Option<LinkState>,
    connected: bool,
    /// The source's counts as last read from it.
    known: BTreeMap<LogId, u64>,
    tracker: HeartbeatTracker,
    throttle: Throttle,
    interrupt: CancellationToken,
}

/// What a status shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) adopted: Option<LinkState>,
    pub(super) connected: bool,
    pub(super) heartbeat_age: Option<Duration>,
}

impl Live {
    pub(super) fn new(settings: &LinkSettings, now: Moment) -> Self {
        let companions = settings.logs.iter().filter(|log| log.is_companion()).cloned();
        Self(Mutex::new(Inner {
            adopted: None,
            connected: false,
            known: BTreeMap::new(),
            tracker: HeartbeatTracker::new(companions),
            throttle: Throttle::new(settings.records_per_second, now),
            interrupt: CancellationToken::new(),
        }))
    }

    /// A panic cannot leave it half changed in a way that matters: every field stands for itself.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the adopted state when the worker ends.
    pub(super) fn running(&self) -> Running<'_> {
        Running(self)
    }

    pub(super) fn fresh_interrupt(&self, stop: &CancellationToken) -> CancellationToken {
        let interrupt = stop.child_token();
        self.lock().interrupt = interrupt.clone();
        interrupt
    }

    pub(super) fn interrupt(&self) {
        self.lock().interrupt.cancel();
    }

    /// Adopts a state; answers the one before if it changed.
    pub(super) fn adopt(&self, state: LinkState) -> bool {
        self.lock().adopted.replace(state) != Some(state)
    }

    /// Answers whether this is news.
    pub(super) fn set_connected(&self, connected: bool) -> bool {
        let mut inner = self.lock();
        std::mem::replace(&mut inner.connected, connected) != connected
    }

    pub(super) fn set_throttle(&self, rate: Option<u64>, now: Moment) {
        self.lock().throttle.set_rate(rate, now);
    }

    pub(super) fn allowance(&self, now: Moment) -> Option<u64> {
        self.lock().throttle.allowance(now)
    }

    pub(super) fn spend(&self, records: u64) {
        self.lock().throttle.spend(records);
    }

    pub(super) fn source_ends(&self, ends: &Cut) {
        let mut inner = self.lock();
        for (log, end) in ends.iter() {
            match inner.known.get_mut(log) {
                Some(count) => *count = end.prefix.count,
                None => {
                    inner.known.insert(log.clone(), end.prefix.count);
                }
            }
        }
    }

    pub(super) fn restore(&self, companion: &LogId, heartbeat: Heartbeat) {
        self.lock().tracker.restore(companion, heartbeat);
    }

    /// A read of the source that was sent at `asked` showed these counts.
    pub(super) fn showed<'a>(&self, asked: Moment, counts: impl IntoIterator<Item = (&'a LogId, u64)>) {
        self.lock().tracker.showed(asked, counts);
    }

    pub(super) fn arrived(&self, companion: &LogId, heartbeat: Heartbeat) {
        self.lock().tracker.arrived(companion, heartbeat);
    }

    pub(super) fn settle(&self, applied: &BTreeMap<LogId, PrefixDigest>) {
        self.lock().tracker.settle(applied);
    }

    pub(super) fn view(&self, now: Moment) -> (View, BTreeMap<LogId, u64>) {
        let inner = self.lock();
        let view = View { adopted: inner.adopted, connected: inner.connected, heartbeat_age: inner.tracker.age(now) };
        (view, inner.all_known())
    }

    pub(super) fn declare(&self, now: Moment, applied: &BTreeMap<LogId, PrefixDigest>) -> BTreeMap<LogId, Exposure> {
        let inner = self.lock();
        inner.tracker.declare(now, applied, &inner.all_known())
    }
}

impl Inner {
    /// The source's counts as last named by it, by reading or by heartbeat.
    fn all_known(&self) -> BTreeMap<LogId, u64> {
        let mut known = self.known.clone();
        for (log, count) in self.tracker.named_counts() {
            let entry = known.entry(log.clone()).or_insert(0);
            *entry = (*entry).max(count);
        }
        known
    }
}

/// While it lives, a worker runs.
#[derive(Debug)]
pub(super) struct Running<'a>(&'a Live);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        inner.adopted = None;
        inner.connected = false;
    }
}

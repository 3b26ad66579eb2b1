//! The planted defects that a drill by process can show, as fittings of the region program.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::clock::{Clock as _, Moment, SystemClock};
use dcp_core::event::EventId;
use dcp_core::fence::Fence;
use dcp_core::ids::{CursorName, RegionId, ScopeId};
use dcp_core::log::LogId;
use dcp_core::ports::{
    Appends, EventReader, EventSource, EventStore, OwnershipLease, ReadFrom, ResourceGuard, Sighting, StoreIdentity,
};
use dcp_core::position::{Cut, PrefixDigest};
use dcp_core::recovery::RecoveryParts;
use dcp_core::testing::defects::resource_guard::{DefectiveGuard, GuardDefect};
use dcp_core::{Error, ErrorKind};
use dcp_fencing::SliceGuard;

use super::slow::SlowAway;
use super::{HidesTail, LeakySeal, OpenFromStart};
use crate::region::Fittings;

/// What is wrong with every region of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum ProcessDefect {
    /// A region that starts appends under a grant that it is shown, before its plane has opened.
    StartsOpen,
    /// The lease is not checked again after the commit.
    NoSecondLeaseCheck,
    /// A seal answers while appends that it should have waited for can still land; appends away from
    /// home are slow, so that there are some.
    SealDoesNotDrain,
    /// Nothing but the slow appends: the counter-check, which passes.
    SlowAppends,
    /// The link leaves out what the lost region had acknowledged and not replicated.
    SkipsTail,
}

const NAMES: [(&str, ProcessDefect); 5] = [
    ("starts-open", ProcessDefect::StartsOpen),
    ("no-second-lease-check", ProcessDefect::NoSecondLeaseCheck),
    ("seal-does-not-drain", ProcessDefect::SealDoesNotDrain),
    ("slow-appends", ProcessDefect::SlowAppends),
    ("skips-tail", ProcessDefect::SkipsTail),
];

impl FromStr for ProcessDefect {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, defect)| *defect).ok_or_else(|| format!("{text:?}: no planted defect of this name"))
    }
}

impl fmt::Display for ProcessDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(_, defect)| defect == self).map_or("", |(name, _)| name))
    }
}

/// A region's parts with the defect among them.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::exhaustive_structs)]
pub struct Planted(pub ProcessDefect);

impl Fittings for Planted {
    fn store(&self, store: Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        match self.0 {
            ProcessDefect::SealDoesNotDrain => Arc::new(LeakySeal::over(Arc::new(SlowAway::over(store)))),
            ProcessDefect::SlowAppends => Arc::new(SlowAway::over(store)),
            _ => store,
        }
    }

    fn source(&self, of: &RegionId, source: Arc<dyn EventSource>, local: &Arc<dyn EventStore>) -> Arc<dyn EventSource> {
        if self.0 != ProcessDefect::SkipsTail {
            return source;
        }
        let hidden = Arc::<Mutex<Cut>>::default();
        let watched = WatchedSource {
            of: of.clone(),
            inner: source,
            local: Arc::clone(local),
            hidden: Arc::clone(&hidden),
            silent: Mutex::default(),
        };
        Arc::new(HidesTail::over(Arc::new(watched), hidden))
    }

    fn endpoint(&self, appends: Arc<dyn Appends>, parts: &RecoveryParts) -> Arc<dyn Appends> {
        if self.0 != ProcessDefect::StartsOpen {
            return appends;
        }
        Arc::new(OpenFromStart::over(appends, Arc::clone(&parts.store), Arc::clone(&parts.treaty)))
    }

    fn guard(&self, guard: SliceGuard, lease: Arc<dyn OwnershipLease>) -> Arc<dyn ResourceGuard> {
        let guard = Arc::new(guard);
        match self.0 {
            ProcessDefect::NoSecondLeaseCheck => {
                Arc::new(DefectiveGuard::new(guard, lease, GuardDefect::NoSecondLeaseCheck))
            }
            ProcessDefect::SealDoesNotDrain => {
                Arc::new(DefectiveGuard::new(guard, lease, GuardDefect::SealDoesNotDrain))
            }
            _ => guard,
        }
    }
}

/// A source that has not answered for so long is dark, and not only slow.
const DARK_AFTER: Duration = Duration::from_millis(1_500);

/// Notes what had been mirrored when the other region stopped answering.
#[derive(Debug)]
struct WatchedSource {
    of: RegionId,
    inner: Arc<dyn EventSource>,
    local: Arc<dyn EventStore>,
    hidden: Arc<Mutex<Cut>>,
    // When it first did not answer, and what was mirrored then; none while it answers.
    silent: Mutex<Option<(Moment, Cut)>>,
}

impl WatchedSource {
    // A link that is paused meanwhile asks nothing: the first question afterwards shows how long it was.
    async fn note(&self, error: Option<&Error>) {
        let now = SystemClock::new().now();
        let since = lock(&self.silent).clone();
        let dark = error.is_some_and(|error| error.kind() == ErrorKind::Retry);
        match since {
            None if dark => {
                let mirrored = self.mirrored().await.unwrap_or_default();
                *lock(&self.silent) = Some((now, mirrored));
            }
            Some((since, mirrored)) if now.since(since) >= DARK_AFTER => {
                let mut hidden = lock(&self.hidden);
                if hidden.is_empty() {
                    *hidden = mirrored;
                }
            }
            Some(_) if !dark => *lock(&self.silent) = None,
            _ => {}
        }
    }

    // Of the users' logs of that region; what it has said of other logs stays true.
    async fn mirrored(&self) -> Result<Cut, Error> {
        let ends = self.local.ends(&self.local.logs().await?).await?;
        let own = ends.iter().filter(|(log, _)| !log.is_companion() && log.origin() == &self.of);
        Ok(own.map(|(log, end)| (log.clone(), *end)).collect())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl EventSource for WatchedSource {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        self.inner.identity().await
    }
    // The link asks this in every round, whatever it has to copy.
    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error> {
        let answer = self.inner.ends(logs).await;
        self.note(answer.as_ref().err()).await;
        answer
    }
    async fn logs(&self) -> Result<Vec<LogId>, Error> {
        self.inner.logs().await
    }
    async fn fence(&self, log: &LogId) -> Result<Fence, Error> {
        self.inner.fence(log).await
    }
    async fn prefix(&self, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        self.inner.prefix(log, count).await
    }
    async fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Result<Vec<Sighting>, Error> {
        self.inner.sightings(scope, partition, ids).await
    }
    async fn cursor(&self, name: &CursorName) -> Result<Option<Bytes>, Error> {
        self.inner.cursor(name).await
    }
    async fn open_reader(&self, log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error> {
        self.inner.open_reader(log, from).await
    }
}

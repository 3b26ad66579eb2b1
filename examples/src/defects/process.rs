//! The planted defects that a drill by process can show, as fittings of the region program.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::Error;
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
use dcp_fencing::SliceGuard;
use tokio::sync::Notify;

use super::slow::SlowAway;
use super::{HidesTail, LeakySeal, OpenFromStart};
use crate::orders::Home;
use crate::region::Fittings;

// The region that the drill loses.
const LOST: Home = Home::West;

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
            ProcessDefect::SealDoesNotDrain => {
                let sealed = Arc::<Notify>::default();
                Arc::new(LeakySeal::over(Arc::new(SlowAway::over(store, Arc::clone(&sealed))), sealed))
            }
            ProcessDefect::SlowAppends => Arc::new(SlowAway::over(store, Arc::default())),
            _ => store,
        }
    }

    fn source(&self, of: &RegionId, source: Arc<dyn EventSource>, local: &Arc<dyn EventStore>) -> Arc<dyn EventSource> {
        if self.0 != ProcessDefect::SkipsTail || of != &LOST.region_id() {
            return source;
        }
        let hidden = Arc::<Mutex<Cut>>::default();
        let watched = WatchedSource { inner: source, local: Arc::clone(local), hidden: Arc::clone(&hidden) };
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

/// Notes what had been mirrored of the lost region once this one has written in its place: the link
/// has stood still since the takeover began.
#[derive(Debug)]
struct WatchedSource {
    inner: Arc<dyn EventSource>,
    local: Arc<dyn EventStore>,
    hidden: Arc<Mutex<Cut>>,
}

impl WatchedSource {
    fn hidden(&self) -> MutexGuard<'_, Cut> {
        self.hidden.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn hide(&self) -> Result<(), Error> {
        if !self.hidden().is_empty() {
            return Ok(());
        }
        let logs = self.local.logs().await?;
        let (lost, own): (Vec<_>, Vec<_>) = logs
            .into_iter()
            .filter(|log| log.scope() == &LOST.scope_id())
            .partition(|log| log.origin() == &LOST.region_id());
        if !own.is_empty() {
            let ends = self.local.ends(&lost).await?;
            *self.hidden() = ends;
        }
        Ok(())
    }
}

#[async_trait]
impl EventSource for WatchedSource {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        self.inner.identity().await
    }
    // The link asks this in every round, whatever it has to copy.
    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error> {
        self.hide().await?;
        self.inner.ends(logs).await
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

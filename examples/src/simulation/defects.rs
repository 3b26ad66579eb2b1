//! Planted defects: each goes wrong in one known way, and a fault plan shows it.

mod election;
mod state;
mod witness;

use std::sync::{Arc, Mutex, PoisonError};

use dcp_core::memory::{MemoryEventStore, MemoryStateStore, StateBackup};
use dcp_core::ports::{
    Appends, EventSource, EventStore, LeaderElection, OwnershipLease, ResourceGuard, StateStore, Transaction, Witness,
};
use dcp_core::position::Cut;
use dcp_core::testing::defects::event_store::{DedupesByVersionAlone, FlawedEventStore};
use dcp_core::testing::defects::resource_guard::{DefectiveGuard, GuardDefect};
use dcp_fencing::{SliceGuard, StateStoreElection};

use self::election::LocalCounter;
use self::state::WatchedState;
use self::witness::{IgnoresNonce, Raced};
use super::observations::Observer;
use super::region::{Durable, Region};
use crate::defects::{HidesTail, LeakySeal, OpenFromStart};
use crate::orders::Home;
use crate::region::Fittings;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(clippy::exhaustive_enums)]
pub enum Defect {
    /// Fences live in the process alone.
    VolatileFence,
    /// Journal entries are answered before they are durable.
    JournalWithoutSync,
    /// A region that starts appends under the grant that it last had.
    StartsOpen,
    /// The lease is not checked again after the commit.
    NoSecondLeaseCheck,
    /// A seal answers while appends that it should have waited for can still land.
    SealDoesNotDrain,
    /// The link leaves out what the lost region had acknowledged and not replicated.
    SkipsTail,
    /// A repeated event is not looked up by its id.
    DedupesByVersionAlone,
    /// A probe takes any claim of the same owner and epoch for its own.
    IgnoresNonce,
    /// The term's revision is a counter of the process.
    ProcessLocalCounter,
}

/// The defect of one region, if it has any, and what that has to remember.
#[derive(Debug)]
pub(super) struct Planted {
    pub(super) defect: Option<Defect>,
    /// Whether the survivor's claim meets a rival's of the same epoch.
    pub(super) claim_race: bool,
    pub(super) observer: Arc<Observer>,
    unsynced: Arc<Mutex<Option<StateBackup>>>,
    hidden: Arc<Mutex<Cut>>,
    raced: Arc<Mutex<bool>>,
}

impl Planted {
    pub(super) fn new(defect: Option<Defect>, claim_race: bool, observer: Arc<Observer>) -> Arc<Self> {
        Arc::new(Self {
            defect,
            claim_race,
            observer,
            unsynced: Arc::default(),
            hidden: Arc::default(),
            raced: Arc::default(),
        })
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// The region's own event store; its peer reads the same.
    pub(super) fn store(&self, store: &MemoryEventStore) -> Arc<dyn EventStore> {
        match self.defect {
            Some(Defect::DedupesByVersionAlone) => {
                Arc::new(FlawedEventStore::<DedupesByVersionAlone>::over(store.clone()))
            }
            Some(Defect::SealDoesNotDrain) => Arc::new(LeakySeal::over(Arc::new(store.clone()), Arc::default())),
            _ => Arc::new(store.clone()),
        }
    }

    /// The region's own state store, its journal watched.
    pub(super) fn state(&self, home: Home, store: &MemoryStateStore) -> Arc<dyn StateStore> {
        let unsynced = self.has(Defect::JournalWithoutSync).then(|| Arc::clone(&self.unsynced));
        Arc::new(WatchedState {
            region: home.region(),
            inner: store.clone(),
            observer: Arc::clone(&self.observer),
            unsynced,
        })
    }

    /// The other region's store as this region's link reads it.
    pub(super) fn source(&self, home: Home, source: Arc<dyn EventSource>) -> Arc<dyn EventSource> {
        if self.has(Defect::SkipsTail) && home == Home::Central {
            return Arc::new(HidesTail::over(source, Arc::clone(&self.hidden)));
        }
        source
    }

    /// What of the lost region's logs had been mirrored when it went dark.
    pub(super) fn mirrored(&self, ends: Cut) {
        *self.hidden.lock().unwrap_or_else(PoisonError::into_inner) = ends;
    }

    pub(super) fn witness(&self, region: &Region, witness: Arc<dyn Witness>) -> Arc<dyn Witness> {
        let mut witness = witness;
        if self.claim_race && region.home == Home::Central {
            witness = Arc::new(Raced {
                inner: witness,
                signer: Arc::clone(&region.signer),
                treaty: Arc::clone(&region.around.treaty),
                raced: Arc::clone(&self.raced),
            });
        }
        if self.has(Defect::IgnoresNonce) {
            witness = Arc::new(IgnoresNonce { inner: witness, claimed: Mutex::default() });
        }
        witness
    }

    pub(super) fn endpoint(&self, region: &Region, appends: Arc<dyn Appends>) -> Arc<dyn Appends> {
        if self.has(Defect::StartsOpen) {
            let (store, treaty) = (Arc::clone(&region.store), Arc::clone(&region.around.treaty));
            return Arc::new(OpenFromStart::over(appends, store, treaty));
        }
        appends
    }

    /// The region has crashed; its stores are closed.
    pub(super) fn crashed(&self, durable: &Durable) {
        if let Some(before) = self.unsynced.lock().unwrap_or_else(PoisonError::into_inner).take() {
            durable.state.restore(before);
        }
    }

    /// Its stores are open again.
    pub(super) async fn reopened(&self, durable: &Durable) {
        if !self.has(Defect::VolatileFence) {
            return;
        }
        durable.store.restore(durable.store.backup().without_fences());
        durable.store.reopen();
        let fences = durable.state.scan("fence/", None, 100).await.unwrap_or_default();
        let forget = fences.into_iter().fold(Transaction::new(), |all, entry| all.delete(entry.key));
        // If it does not take, the defect is not there, and its test says so.
        let _ = durable.state.commit(forget).await;
    }
}

impl Fittings for Planted {
    fn guard(&self, guard: SliceGuard, lease: Arc<dyn OwnershipLease>) -> Arc<dyn ResourceGuard> {
        let guard = Arc::new(guard);
        match self.defect {
            Some(Defect::NoSecondLeaseCheck) => {
                Arc::new(DefectiveGuard::new(guard, lease, GuardDefect::NoSecondLeaseCheck))
            }
            Some(Defect::SealDoesNotDrain) => {
                Arc::new(DefectiveGuard::new(guard, lease, GuardDefect::SealDoesNotDrain))
            }
            _ => guard,
        }
    }

    fn election(&self, election: StateStoreElection) -> Arc<dyn LeaderElection> {
        if self.has(Defect::ProcessLocalCounter) {
            return Arc::new(LocalCounter::over(election));
        }
        Arc::new(election)
    }
}

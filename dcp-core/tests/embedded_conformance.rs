//! The embedded stores keep every clause of their ports, and the journal its own over them, on a
//! disk that loses power: a crash keeps what was synced and any choice of sectors of what was not.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A test stops at what it did not expect.

use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::clock::SeededEntropy;
use dcp_core::ports::{EventStore, StateStore};
use dcp_core::state::embedded::{EmbeddedStateSettings, EmbeddedStateStore};
use dcp_core::store::embedded::{EmbeddedEventSettings, EmbeddedEventStore};
use dcp_core::testing::disk::TestDisk;
use dcp_core::testing::event_store::EventStoreFixture;
use dcp_core::testing::journal::JournalFixture;
use dcp_core::testing::state_store::StateStoreFixture;
use dcp_core::testing::{failing, fixtures};
use dcp_core::{event_store_conformance, journal_conformance, state_store_conformance};

/// What is opened on a disk.
trait OnDisk: Send + Sync + 'static {
    fn open(disk: &TestDisk) -> Arc<Self>;
}

impl OnDisk for EmbeddedEventStore {
    fn open(disk: &TestDisk) -> Arc<Self> {
        let entropy = Arc::new(SeededEntropy::new(1, "incarnation"));
        let settings = EmbeddedEventSettings::new("unused", fixtures::west(), entropy).with_cache_bytes(1 << 20);
        Arc::new(Self::open_on(&settings, disk.mount()).unwrap())
    }
}

impl OnDisk for EmbeddedStateStore {
    fn open(disk: &TestDisk) -> Arc<Self> {
        let settings = EmbeddedStateSettings::new("unused", fixtures::west()).with_cache_bytes(1 << 20);
        Arc::new(Self::open_on(&settings, disk.mount()).unwrap())
    }
}

/// A store on a disk whose power can be cut; a `LYING` one acknowledges syncs and keeps nothing,
/// which shows that a crash of the sound one would be noticed.
struct Machine<S, const LYING: bool> {
    disk: TestDisk,
    crashes: u64,
    store: Option<Arc<S>>,
}

impl<S: OnDisk, const LYING: bool> Machine<S, LYING> {
    fn new() -> Self {
        let disk = TestDisk::new();
        let store = Some(S::open(&disk));
        if LYING {
            disk.lie_about_syncs();
        }
        Self { disk, crashes: 0, store }
    }

    fn opened(&self) -> Arc<S> {
        self.store.clone().unwrap()
    }

    fn cut_power(&mut self) {
        self.crashes += 1;
        self.disk.cut_power(self.crashes);
        let store = self.store.take().unwrap();
        assert_eq!(Arc::strong_count(&store), 1, "a clause holds a store across a crash");
        drop(store);
        self.store = Some(S::open(&self.disk));
    }
}

#[async_trait]
impl<const LYING: bool> EventStoreFixture for Machine<EmbeddedEventStore, LYING> {
    async fn start() -> Self {
        Self::new()
    }
    fn store(&self) -> Arc<dyn EventStore> {
        self.opened()
    }
    async fn crash(&mut self) {
        self.cut_power();
    }
}

#[async_trait]
impl<const LYING: bool> StateStoreFixture for Machine<EmbeddedStateStore, LYING> {
    async fn start() -> Self {
        Self::new()
    }
    fn store(&self) -> Arc<dyn StateStore> {
        self.opened()
    }
    async fn crash(&mut self) {
        self.cut_power();
    }
}

#[async_trait]
impl<const LYING: bool> JournalFixture for Machine<EmbeddedStateStore, LYING> {
    async fn start() -> Self {
        Self::new()
    }
    fn store(&self) -> Arc<dyn StateStore> {
        self.opened()
    }
    async fn crash(&mut self) {
        self.cut_power();
    }
}

type Events = Machine<EmbeddedEventStore, false>;
type State = Machine<EmbeddedStateStore, false>;

event_store_conformance!(events, Events);
state_store_conformance!(state, State);
journal_conformance!(journal, State);

#[tokio::test]
async fn a_disk_that_lies_about_syncs_fails_the_event_stores_clauses_of_durability() {
    let clauses = dcp_core::testing::event_store::clauses::<Machine<EmbeddedEventStore, true>>();
    assert_eq!(failing(&clauses).await, ["E4", "E6", "E7", "E15"]);
}

#[tokio::test]
async fn a_disk_that_lies_about_syncs_fails_the_state_stores_clauses_of_durability() {
    let clauses = dcp_core::testing::state_store::clauses::<Machine<EmbeddedStateStore, true>>();
    assert_eq!(failing(&clauses).await, ["S2", "S4", "S6"]);
}

#[tokio::test]
async fn a_disk_that_lies_about_syncs_fails_the_journals_clauses_of_durability() {
    let clauses = dcp_core::testing::journal::clauses::<Machine<EmbeddedStateStore, true>>();
    assert_eq!(failing(&clauses).await, ["J1", "J2", "J5", "J7", "J9", "J10"]);
}

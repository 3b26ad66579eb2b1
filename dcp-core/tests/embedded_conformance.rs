//! The embedded stores keep every clause of their ports, on a disk that loses power: a crash keeps
//! what was synced and any choice of sectors of what was not.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A test stops at what it did not expect.

use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::clock::SeededEntropy;
use dcp_core::ports::{EventStore, StateStore};
use dcp_core::state::embedded::{EmbeddedStateSettings, EmbeddedStateStore};
use dcp_core::store::embedded::{EmbeddedEventSettings, EmbeddedEventStore};
use dcp_core::testing::disk::TestDisk;
use dcp_core::testing::event_store::EventStoreFixture;
use dcp_core::testing::state_store::StateStoreFixture;
use dcp_core::testing::{failing, fixtures};
use dcp_core::{event_store_conformance, state_store_conformance};

struct EventsOnDisk {
    disk: TestDisk,
    crashes: u64,
    store: Option<Arc<EmbeddedEventStore>>,
}

fn open(disk: &TestDisk) -> Arc<EmbeddedEventStore> {
    let entropy = Arc::new(SeededEntropy::new(1, "incarnation"));
    let settings = EmbeddedEventSettings::new("unused", fixtures::west(), entropy).with_cache_bytes(1 << 20);
    Arc::new(EmbeddedEventStore::open_on(&settings, disk.mount()).unwrap())
}

#[async_trait]
impl EventStoreFixture for EventsOnDisk {
    async fn start() -> Self {
        let disk = TestDisk::new();
        let store = Some(open(&disk));
        Self { disk, crashes: 0, store }
    }

    fn store(&self) -> Arc<dyn EventStore> {
        self.store.clone().unwrap()
    }

    async fn crash(&mut self) {
        self.crashes += 1;
        self.disk.cut_power(self.crashes);
        let store = self.store.take().unwrap();
        assert_eq!(Arc::strong_count(&store), 1, "a clause holds a store across a crash");
        drop(store);
        self.store = Some(open(&self.disk));
    }
}

event_store_conformance!(events, EventsOnDisk);

/// The same on a disk that acknowledges syncs and keeps nothing: shows that a crash of the fixture
/// above would be noticed.
struct EventsOnLyingDisk(EventsOnDisk);

#[async_trait]
impl EventStoreFixture for EventsOnLyingDisk {
    async fn start() -> Self {
        let fixture = EventsOnDisk::start().await;
        fixture.disk.lie_about_syncs();
        Self(fixture)
    }

    fn store(&self) -> Arc<dyn EventStore> {
        self.0.store()
    }

    async fn crash(&mut self) {
        self.0.crash().await;
    }
}

#[tokio::test]
async fn a_disk_that_lies_about_syncs_fails_the_clauses_of_durability() {
    let clauses = dcp_core::testing::event_store::clauses::<EventsOnLyingDisk>();
    assert_eq!(failing(&clauses).await, ["E4", "E6", "E7", "E15"]);
}

struct StateOnDisk {
    disk: TestDisk,
    crashes: u64,
    store: Option<Arc<EmbeddedStateStore>>,
}

fn open_state(disk: &TestDisk) -> Arc<EmbeddedStateStore> {
    let settings = EmbeddedStateSettings::new("unused", fixtures::west()).with_cache_bytes(1 << 20);
    Arc::new(EmbeddedStateStore::open_on(&settings, disk.mount()).unwrap())
}

#[async_trait]
impl StateStoreFixture for StateOnDisk {
    async fn start() -> Self {
        let disk = TestDisk::new();
        let store = Some(open_state(&disk));
        Self { disk, crashes: 0, store }
    }

    fn store(&self) -> Arc<dyn StateStore> {
        self.store.clone().unwrap()
    }

    async fn crash(&mut self) {
        self.crashes += 1;
        self.disk.cut_power(self.crashes);
        let store = self.store.take().unwrap();
        assert_eq!(Arc::strong_count(&store), 1, "a clause holds a store across a crash");
        drop(store);
        self.store = Some(open_state(&self.disk));
    }
}

state_store_conformance!(state, StateOnDisk);

struct StateOnLyingDisk(StateOnDisk);

#[async_trait]
impl StateStoreFixture for StateOnLyingDisk {
    async fn start() -> Self {
        let fixture = StateOnDisk::start().await;
        fixture.disk.lie_about_syncs();
        Self(fixture)
    }

    fn store(&self) -> Arc<dyn StateStore> {
        self.0.store()
    }

    async fn crash(&mut self) {
        self.0.crash().await;
    }
}

#[tokio::test]
async fn a_disk_that_lies_about_syncs_fails_the_state_stores_clauses_of_durability() {
    let clauses = dcp_core::testing::state_store::clauses::<StateOnLyingDisk>();
    assert_eq!(failing(&clauses).await, ["S2", "S4", "S6"]);
}

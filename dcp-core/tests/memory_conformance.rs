//! The in-memory models keep every clause.
#![cfg(feature = "test-util")]

use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::memory::{MemoryBrokerAdmin, MemoryEventStore, MemoryStateStore};
use dcp_core::ports::{BrokerAdmin, EventStore, StateStore};
use dcp_core::position::LogIncarnation;
use dcp_core::testing::broker_admin::BrokerAdminFixture;
use dcp_core::testing::event_store::EventStoreFixture;
use dcp_core::testing::fixtures::west;
use dcp_core::testing::state_store::StateStoreFixture;

struct MemoryEvents(MemoryEventStore);

#[async_trait]
impl EventStoreFixture for MemoryEvents {
    async fn start() -> Self {
        Self(MemoryEventStore::new(west(), LogIncarnation::from_bytes([1; 16])))
    }

    fn store(&self) -> Arc<dyn EventStore> {
        Arc::new(self.0.clone())
    }

    async fn crash(&mut self) {
        self.0.crash();
        self.0.reopen();
    }
}

dcp_core::event_store_conformance!(event_store, MemoryEvents);

struct MemoryState(MemoryStateStore);

#[async_trait]
impl StateStoreFixture for MemoryState {
    async fn start() -> Self {
        Self(MemoryStateStore::new())
    }

    fn store(&self) -> Arc<dyn StateStore> {
        Arc::new(self.0.clone())
    }

    async fn crash(&mut self) {
        self.0.crash();
        self.0.reopen();
    }
}

dcp_core::state_store_conformance!(state_store, MemoryState);

struct MemoryAdmin(MemoryBrokerAdmin);

#[async_trait]
impl BrokerAdminFixture for MemoryAdmin {
    async fn start() -> Self {
        Self(MemoryBrokerAdmin::new())
    }

    fn admin(&self) -> Arc<dyn BrokerAdmin> {
        Arc::new(self.0.clone())
    }

    async fn crash(&mut self) {
        self.0.crash();
        self.0.reopen();
    }
}

dcp_core::broker_admin_conformance!(broker_admin, MemoryAdmin);

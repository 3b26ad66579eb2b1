//! The clauses of the ports, kept over sockets by the models behind a server.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::event::EventId;
use dcp_core::fence::Fence;
use dcp_core::ids::{CursorName, ScopeId};
use dcp_core::log::LogId;
use dcp_core::memory::{MemoryEventStore, MemoryStateStore};
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{
    EventReader, EventSource, EventStore, EventWriter, ReadFrom, Sighting, StateStore, StoreIdentity, WriterRole,
};
use dcp_core::position::{Cut, LogIncarnation, PrefixDigest};
use dcp_core::remote::{RemoteEventSource, RemoteServer, RemoteStateStore};
use dcp_core::testing::event_store::EventStoreFixture;
use dcp_core::testing::fixtures::west;
use dcp_core::testing::state_store::StateStoreFixture;
use dcp_core::{Error, Failure};

use super::rig::{Running, endpoint, server, start};

struct RemoteState {
    store: MemoryStateStore,
    running: Running,
}

fn offering_state(store: &MemoryStateStore) -> RemoteServer {
    server().state_store(Arc::new(store.clone()))
}

#[async_trait]
impl StateStoreFixture for RemoteState {
    async fn start() -> Self {
        let store = MemoryStateStore::new();
        let running = start(offering_state(&store)).await;
        Self { store, running }
    }

    fn store(&self) -> Arc<dyn StateStore> {
        Arc::new(RemoteStateStore::new(endpoint(self.running.address)))
    }

    async fn crash(&mut self) {
        self.running.kill().await;
        self.store.crash();
        self.store.reopen();
        self.running = start(offering_state(&self.store)).await;
    }
}

dcp_core::state_store_conformance!(state_store, RemoteState);

/// Writes where the store is and reads over a socket, as a region and its peer together do.
#[derive(Debug)]
struct ReadRemotely {
    store: MemoryEventStore,
    source: RemoteEventSource,
}

#[async_trait]
impl EventSource for ReadRemotely {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        self.source.identity().await
    }
    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error> {
        self.source.ends(logs).await
    }
    async fn logs(&self) -> Result<Vec<LogId>, Error> {
        self.source.logs().await
    }
    async fn fence(&self, log: &LogId) -> Result<Fence, Error> {
        self.source.fence(log).await
    }
    async fn prefix(&self, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        self.source.prefix(log, count).await
    }
    async fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Result<Vec<Sighting>, Error> {
        self.source.sightings(scope, partition, ids).await
    }
    async fn cursor(&self, name: &CursorName) -> Result<Option<Bytes>, Error> {
        self.source.cursor(name).await
    }
    async fn open_reader(&self, log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error> {
        self.source.open_reader(log, from).await
    }
}

#[async_trait]
impl EventStore for ReadRemotely {
    async fn open_writer(&self, logs: &[LogId], role: WriterRole) -> Result<Box<dyn EventWriter>, Failure> {
        self.store.open_writer(logs, role).await
    }
    async fn seal(&self, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure> {
        self.store.seal(logs, grant).await
    }
}

struct RemoteEvents {
    store: MemoryEventStore,
    running: Running,
}

fn offering_events(store: &MemoryEventStore) -> RemoteServer {
    server().event_source(Arc::new(store.clone()))
}

#[async_trait]
impl EventStoreFixture for RemoteEvents {
    async fn start() -> Self {
        let store = MemoryEventStore::new(west(), LogIncarnation::from_bytes([1; 16]));
        let running = start(offering_events(&store)).await;
        Self { store, running }
    }

    fn store(&self) -> Arc<dyn EventStore> {
        let source = RemoteEventSource::new(endpoint(self.running.address));
        Arc::new(ReadRemotely { store: self.store.clone(), source })
    }

    async fn crash(&mut self) {
        self.running.kill().await;
        self.store.crash();
        self.store.reopen();
        self.running = start(offering_events(&self.store)).await;
    }
}

dcp_core::event_store_conformance!(event_store, RemoteEvents);

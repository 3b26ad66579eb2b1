//! An event store on which appends under the epoch of a takeover take their time.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::clock::{Clock as _, SystemClock};
use dcp_core::event::EventId;
use dcp_core::fence::Fence;
use dcp_core::ids::{CursorName, ScopeId};
use dcp_core::log::LogId;
use dcp_core::ownership::{Epoch, WriteGrant};
use dcp_core::ports::{
    Appended, CopyBatch, EventReader, EventSource, EventStore, EventWriter, OwnerBatch, ReadFrom, Sighting,
    StoreIdentity, WriterRole,
};
use dcp_core::position::{Cut, PrefixDigest};
use dcp_core::{Error, Failure};
use tokio::sync::Notify;

/// Long enough to be under way when the slice is sealed, and within the deadline of a request.
const SLOW: std::time::Duration = std::time::Duration::from_millis(600);

#[derive(Debug)]
pub(super) struct SlowAway(Arc<dyn EventStore>, Arc<Notify>);

impl SlowAway {
    /// What is under way goes on at once when `hurry` is notified.
    pub(super) fn over(inner: Arc<dyn EventStore>, hurry: Arc<Notify>) -> Self {
        Self(inner, hurry)
    }
}

#[async_trait]
impl EventSource for SlowAway {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        self.0.identity().await
    }
    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error> {
        self.0.ends(logs).await
    }
    async fn logs(&self) -> Result<Vec<LogId>, Error> {
        self.0.logs().await
    }
    async fn fence(&self, log: &LogId) -> Result<Fence, Error> {
        self.0.fence(log).await
    }
    async fn prefix(&self, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        self.0.prefix(log, count).await
    }
    async fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Result<Vec<Sighting>, Error> {
        self.0.sightings(scope, partition, ids).await
    }
    async fn cursor(&self, name: &CursorName) -> Result<Option<Bytes>, Error> {
        self.0.cursor(name).await
    }
    async fn open_reader(&self, log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error> {
        self.0.open_reader(log, from).await
    }
}

#[async_trait]
impl EventStore for SlowAway {
    async fn open_writer(&self, logs: &[LogId], role: WriterRole) -> Result<Box<dyn EventWriter>, Failure> {
        let away = matches!(&role, WriterRole::Owner(grant) if grant.epoch == Epoch::GENESIS.next());
        let writer = self.0.open_writer(logs, role).await?;
        Ok(if away { Box::new(SlowWriter(writer, Arc::clone(&self.1))) } else { writer })
    }

    async fn seal(&self, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure> {
        self.0.seal(logs, grant).await
    }
}

#[derive(Debug)]
struct SlowWriter(Box<dyn EventWriter>, Arc<Notify>);

#[async_trait]
impl EventWriter for SlowWriter {
    async fn append(&self, batch: OwnerBatch) -> Result<Appended, Failure> {
        let clock = SystemClock::new();
        tokio::select! {
            biased;
            () = self.1.notified() => {}
            () = clock.sleep(SLOW) => {}
        }
        self.0.append(batch).await
    }
    async fn copy(&self, batch: CopyBatch) -> Result<PrefixDigest, Failure> {
        self.0.copy(batch).await
    }
}

//! Event stores that break one clause each, over the in-memory one.

mod answering;
mod crashing;
mod deciding;
mod reading;
mod sealing;
mod session;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

pub use answering::{AcceptsLongCursors, AnswersBaseOffset, LateRoleCheck, WritesUpToTheConflict};
pub use crashing::{AcknowledgesBeforeSync, CountsCommitsFromOpening, CursorOnItsOwn, VolatileFence};
pub use deciding::{DedupesByVersionAlone, DedupesCopies, ReopensWhenFenced};
pub use reading::{IgnoresPrefixLength, LosesCancelledReads, ReadsForeignPositionsFromStart, VersionsPerLog};
pub use sealing::{LandsAfterTheSeal, SealsWithoutDraining};
use session::FlawedWriter;
pub use session::Session;

use crate::error::{Error, Failure};
use crate::event::EventId;
use crate::fence::Fence;
use crate::ids::{CursorName, ScopeId};
use crate::log::LogId;
use crate::memory::MemoryEventStore;
use crate::ownership::WriteGrant;
use crate::ports::event_store::{
    Appended, CopyBatch, EventReader, EventSource, EventStore, EventWriter, OwnerBatch, ReadFrom, Sighting,
    StoreIdentity, WriterRole,
};
use crate::position::{Cut, LogIncarnation, PrefixDigest};
use crate::testing::event_store::EventStoreFixture;
use crate::testing::fixtures::west;

/// What a flawed store does in its own way; whatever is left out it does as the sound one.
#[async_trait]
pub trait EventFlaw: fmt::Debug + Default + Send + Sync + 'static {
    /// Instead of [`EventWriter::append`].
    async fn append(&self, session: &Session, batch: OwnerBatch) -> Result<Appended, Failure> {
        session.writer.append(batch).await
    }

    /// Instead of [`EventWriter::copy`].
    async fn copy(&self, session: &Session, batch: CopyBatch) -> Result<PrefixDigest, Failure> {
        session.writer.copy(batch).await
    }

    /// Instead of [`EventStore::open_writer`].
    async fn open_writer(
        &self,
        store: &MemoryEventStore,
        logs: &[LogId],
        role: WriterRole,
    ) -> Result<Box<dyn EventWriter>, Failure> {
        store.open_writer(logs, role).await
    }

    /// Instead of [`EventStore::seal`].
    async fn seal(&self, store: &MemoryEventStore, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure> {
        store.seal(logs, grant).await
    }

    /// Instead of [`EventSource::identity`].
    async fn identity(&self, store: &MemoryEventStore) -> Result<StoreIdentity, Error> {
        store.identity().await
    }

    /// Instead of [`EventSource::prefix`].
    async fn prefix(&self, store: &MemoryEventStore, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        store.prefix(log, count).await
    }

    /// Instead of [`EventSource::open_reader`].
    async fn open_reader(
        self: Arc<Self>,
        store: &MemoryEventStore,
        log: &LogId,
        from: ReadFrom,
    ) -> Result<Box<dyn EventReader>, Error> {
        store.open_reader(log, from).await
    }

    /// Instead of a crash and a reopening.
    async fn crash(&self, store: &MemoryEventStore) {
        store.crash();
        store.reopen();
    }
}

/// A store with a flaw.
#[derive(Debug)]
pub struct FlawedEventStore<F> {
    inner: MemoryEventStore,
    flaw: Arc<F>,
}

impl<F: EventFlaw> FlawedEventStore<F> {
    /// The flaw over a store that the caller keeps.
    #[must_use]
    pub fn over(inner: MemoryEventStore) -> Self {
        Self { inner, flaw: Arc::default() }
    }
}

/// Fixture of a store with a flaw, for [`clauses`](crate::testing::event_store::clauses).
#[derive(Debug)]
pub struct FlawedEvents<F>(Arc<FlawedEventStore<F>>);

#[async_trait]
impl<F: EventFlaw> EventStoreFixture for FlawedEvents<F> {
    async fn start() -> Self {
        let inner = MemoryEventStore::new(west(), LogIncarnation::from_bytes([1; 16]));
        Self(Arc::new(FlawedEventStore { inner, flaw: Arc::default() }))
    }

    fn store(&self) -> Arc<dyn EventStore> {
        Arc::clone(&self.0) as Arc<dyn EventStore>
    }

    async fn crash(&mut self) {
        self.0.flaw.crash(&self.0.inner).await;
    }
}

#[async_trait]
impl<F: EventFlaw> EventSource for FlawedEventStore<F> {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        self.flaw.identity(&self.inner).await
    }
    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error> {
        self.inner.ends(logs).await
    }
    async fn logs(&self) -> Result<Vec<LogId>, Error> {
        self.inner.logs().await
    }
    async fn fence(&self, log: &LogId) -> Result<Fence, Error> {
        self.inner.fence(log).await
    }
    async fn prefix(&self, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        self.flaw.prefix(&self.inner, log, count).await
    }
    async fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Result<Vec<Sighting>, Error> {
        self.inner.sightings(scope, partition, ids).await
    }
    async fn cursor(&self, name: &CursorName) -> Result<Option<Bytes>, Error> {
        self.inner.cursor(name).await
    }
    async fn open_reader(&self, log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error> {
        Arc::clone(&self.flaw).open_reader(&self.inner, log, from).await
    }
}

#[async_trait]
impl<F: EventFlaw> EventStore for FlawedEventStore<F> {
    async fn open_writer(&self, logs: &[LogId], role: WriterRole) -> Result<Box<dyn EventWriter>, Failure> {
        let writer = self.flaw.open_writer(&self.inner, logs, role.clone()).await?;
        let session = Session { store: self.inner.clone(), logs: logs.to_vec(), role, writer };
        Ok(Box::new(FlawedWriter::new(session, Arc::clone(&self.flaw))))
    }
    async fn seal(&self, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure> {
        self.flaw.seal(&self.inner, logs, grant).await
    }
}

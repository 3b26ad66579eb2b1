//! A writing session of a flawed store.

use std::sync::Arc;

use async_trait::async_trait;

use super::EventFlaw;
use crate::error::Failure;
use crate::log::LogId;
use crate::memory::MemoryEventStore;
use crate::ports::event_store::{Appended, CopyBatch, EventWriter, OwnerBatch, WriterRole};
use crate::position::PrefixDigest;

/// What a flaw may use while it writes.
#[derive(Debug)]
#[non_exhaustive]
pub struct Session {
    /// The sound store beneath.
    pub store: MemoryEventStore,
    /// The logs that the writer was opened on.
    pub logs: Vec<LogId>,
    /// As what.
    pub role: WriterRole,
    /// The writer beneath.
    pub writer: Box<dyn EventWriter>,
}

#[derive(Debug)]
pub(super) struct FlawedWriter<F> {
    session: Session,
    flaw: Arc<F>,
}

impl<F> FlawedWriter<F> {
    pub(super) fn new(session: Session, flaw: Arc<F>) -> Self {
        Self { session, flaw }
    }
}

#[async_trait]
impl<F: EventFlaw> EventWriter for FlawedWriter<F> {
    async fn append(&self, batch: OwnerBatch) -> Result<Appended, Failure> {
        self.flaw.append(&self.session, batch).await
    }

    async fn copy(&self, batch: CopyBatch) -> Result<PrefixDigest, Failure> {
        self.flaw.copy(&self.session, batch).await
    }
}

//! Flaws in what is refused and answered.

use async_trait::async_trait;

use super::{EventFlaw, Session};
use crate::error::{Error, ErrorKind, Failure};
use crate::log::LogId;
use crate::memory::MemoryEventStore;
use crate::ports::event_store::{
    Appended, CURSOR_MAX_BYTES, CopyBatch, Cursor, EventStore as _, EventWriter, OwnerBatch, WriterRole,
};
use crate::position::PrefixDigest;

/// Breaks E1: answers the place of a batch's first record for all of them, as a broker that
/// returns a base offset.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct AnswersBaseOffset;

#[async_trait]
impl EventFlaw for AnswersBaseOffset {
    async fn append(&self, session: &Session, batch: OwnerBatch) -> Result<Appended, Failure> {
        let mut answer = session.writer.append(batch).await?;
        let mut new = answer.acks.iter_mut().filter(|ack| !ack.existing);
        if let Some(base) = new.next().map(|ack| ack.position) {
            new.for_each(|ack| ack.position = base);
        }
        Ok(answer)
    }
}

/// Breaks E3: writes the events in front of the one whose expected version is not the stream's.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct WritesUpToTheConflict;

#[async_trait]
impl EventFlaw for WritesUpToTheConflict {
    async fn append(&self, session: &Session, batch: OwnerBatch) -> Result<Appended, Failure> {
        let refused = session.writer.append(batch.clone()).await;
        if matches!(&refused, Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Conflict) {
            for event in batch.events {
                let alone = OwnerBatch::new(batch.log.clone(), vec![event]);
                if session.writer.append(alone).await.is_err() {
                    break;
                }
            }
        }
        refused
    }
}

/// Breaks E10: opens on any log and refuses only the first append.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct LateRoleCheck;

#[derive(Debug)]
struct RefusingWriter(Error);

#[async_trait]
impl EventWriter for RefusingWriter {
    async fn append(&self, _: OwnerBatch) -> Result<Appended, Failure> {
        Err(Failure::NotApplied(self.0.clone()))
    }

    async fn copy(&self, _: CopyBatch) -> Result<PrefixDigest, Failure> {
        Err(Failure::NotApplied(self.0.clone()))
    }
}

#[async_trait]
impl EventFlaw for LateRoleCheck {
    async fn open_writer(
        &self,
        store: &MemoryEventStore,
        logs: &[LogId],
        role: WriterRole,
    ) -> Result<Box<dyn EventWriter>, Failure> {
        match store.open_writer(logs, role).await {
            Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Refused => {
                Ok(Box::new(RefusingWriter(error)))
            }
            opened => opened,
        }
    }
}

/// Breaks E16: cuts a cursor to the bound where it should refuse it.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct AcceptsLongCursors;

fn cut(cursor: Option<Cursor>) -> Option<Cursor> {
    cursor.map(|Cursor { name, mut value }| {
        value.truncate(CURSOR_MAX_BYTES);
        Cursor { name, value }
    })
}

#[async_trait]
impl EventFlaw for AcceptsLongCursors {
    async fn append(&self, session: &Session, mut batch: OwnerBatch) -> Result<Appended, Failure> {
        batch.cursor = cut(batch.cursor);
        session.writer.append(batch).await
    }
}

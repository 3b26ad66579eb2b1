//! Flaws in what readers are given.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{EventFlaw, Session};
use crate::error::{Error, ErrorKind, Failure};
use crate::event::{Placed, Version};
use crate::log::LogId;
use crate::memory::MemoryEventStore;
use crate::ports::event_store::{Appended, EventReader, EventSource as _, EventSourceExt as _, OwnerBatch, ReadFrom};
use crate::position::PrefixDigest;

/// Breaks E2: numbers the records of a log and calls that their version.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct VersionsPerLog;

#[async_trait]
impl EventFlaw for VersionsPerLog {
    async fn append(&self, session: &Session, batch: OwnerBatch) -> Result<Appended, Failure> {
        let mut answer = session.writer.append(batch).await?;
        for ack in &mut answer.acks {
            ack.version = Version::new(ack.position.rank());
        }
        Ok(answer)
    }

    async fn open_reader(
        self: Arc<Self>,
        store: &MemoryEventStore,
        log: &LogId,
        from: ReadFrom,
    ) -> Result<Box<dyn EventReader>, Error> {
        Ok(Box::new(NumberingReader(store.open_reader(log, from).await?)))
    }
}

#[derive(Debug)]
struct NumberingReader(Box<dyn EventReader>);

#[async_trait]
impl EventReader for NumberingReader {
    async fn next(&mut self, limit: usize, wait: Duration) -> Result<Vec<Placed>, Error> {
        let mut records = self.0.next(limit, wait).await?;
        for held in &mut records {
            held.record.version = Version::new(held.position.rank());
        }
        Ok(records)
    }
}

/// Breaks E12: moves on before it has handed the records over, so that a cancelled call loses them.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct LosesCancelledReads;

#[derive(Debug)]
struct HastyReader(Box<dyn EventReader>);

#[async_trait]
impl EventReader for HastyReader {
    async fn next(&mut self, limit: usize, wait: Duration) -> Result<Vec<Placed>, Error> {
        let records = self.0.next(limit, wait).await?;
        tokio::task::yield_now().await;
        Ok(records)
    }
}

#[async_trait]
impl EventFlaw for LosesCancelledReads {
    async fn open_reader(
        self: Arc<Self>,
        store: &MemoryEventStore,
        log: &LogId,
        from: ReadFrom,
    ) -> Result<Box<dyn EventReader>, Error> {
        Ok(Box::new(HastyReader(store.open_reader(log, from).await?)))
    }
}

/// Breaks E13: reads from the start where a position is not its own.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ReadsForeignPositionsFromStart;

#[async_trait]
impl EventFlaw for ReadsForeignPositionsFromStart {
    async fn open_reader(
        self: Arc<Self>,
        store: &MemoryEventStore,
        log: &LogId,
        from: ReadFrom,
    ) -> Result<Box<dyn EventReader>, Error> {
        match store.open_reader(log, from).await {
            Err(error) if error.kind() == ErrorKind::Corrupt => store.open_reader(log, ReadFrom::Start).await,
            opened => opened,
        }
    }
}

/// Breaks E14: answers the whole log's digest for a part of it.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct IgnoresPrefixLength;

#[async_trait]
impl EventFlaw for IgnoresPrefixLength {
    async fn prefix(&self, store: &MemoryEventStore, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        let whole = store.end(log).await?.prefix;
        let part = store.prefix(log, count).await?;
        Ok(part.map(|part| PrefixDigest { count: part.count, digest: whole.digest }))
    }
}

//! Flaws in deduplication and in giving way to another writer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{EventFlaw, Session};
use crate::error::{Error, ErrorKind, Failure};
use crate::event::{EventId, Placed};
use crate::log::LogId;
use crate::memory::MemoryEventStore;
use crate::ports::event_store::{
    Appended, CopyBatch, EventReader, EventSource as _, EventStore as _, OwnerBatch, ReadFrom,
};
use crate::position::PrefixDigest;

/// Breaks E4: looks no id up and leaves it to expected versions to keep a repeated event out.
#[derive(Debug, Default)]
pub struct DedupesByVersionAlone {
    // The store beneath holds a repeated event under another id, which readers never see.
    aliases: Mutex<BTreeMap<EventId, EventId>>,
}

impl DedupesByVersionAlone {
    fn alias(&self, id: EventId) -> EventId {
        let mut aliases = self.aliases.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = *id.as_bytes();
        bytes[..8].copy_from_slice(&(aliases.len() as u64 + 1).to_be_bytes());
        let alias = EventId::from_bytes(bytes);
        aliases.insert(alias, id);
        alias
    }

    fn original(&self, id: EventId) -> EventId {
        self.aliases.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied().unwrap_or(id)
    }
}

#[async_trait]
impl EventFlaw for DedupesByVersionAlone {
    async fn append(&self, session: &Session, mut batch: OwnerBatch) -> Result<Appended, Failure> {
        for event in &mut batch.events {
            let seen = session.store.sightings(batch.log.scope(), batch.log.partition(), &[event.id]).await;
            if !seen.map_err(Failure::NotApplied)?.is_empty() {
                event.id = self.alias(event.id);
            }
        }
        let mut answer = session.writer.append(batch).await?;
        for ack in &mut answer.acks {
            ack.id = self.original(ack.id);
        }
        Ok(answer)
    }

    async fn open_reader(
        self: Arc<Self>,
        store: &MemoryEventStore,
        log: &LogId,
        from: ReadFrom,
    ) -> Result<Box<dyn EventReader>, Error> {
        let reader = store.open_reader(log, from).await?;
        Ok(Box::new(UnaliasedReader { reader, flaw: self }))
    }
}

#[derive(Debug)]
struct UnaliasedReader {
    reader: Box<dyn EventReader>,
    flaw: Arc<DedupesByVersionAlone>,
}

#[async_trait]
impl EventReader for UnaliasedReader {
    async fn next(&mut self, limit: usize, wait: Duration) -> Result<Vec<Placed>, Error> {
        let mut records = self.reader.next(limit, wait).await?;
        for held in &mut records {
            held.record.id = self.flaw.original(held.record.id);
        }
        Ok(records)
    }
}

/// Breaks E8: a writer that another one has fenced opens again by itself and goes on.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ReopensWhenFenced;

#[async_trait]
impl EventFlaw for ReopensWhenFenced {
    async fn append(&self, session: &Session, batch: OwnerBatch) -> Result<Appended, Failure> {
        match session.writer.append(batch.clone()).await {
            Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Fenced => {
                session.store.open_writer(&session.logs, session.role.clone()).await?.append(batch).await
            }
            answer => answer,
        }
    }
}

/// Breaks E11: a mirror leaves out the records whose ids another log of the partition holds.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct DedupesCopies;

#[async_trait]
impl EventFlaw for DedupesCopies {
    async fn copy(&self, session: &Session, mut batch: CopyBatch) -> Result<PrefixDigest, Failure> {
        let ids: Vec<EventId> = batch.records.iter().map(|record| record.id).collect();
        let seen = session.store.sightings(batch.log.scope(), batch.log.partition(), &ids).await;
        let seen = seen.map_err(Failure::NotApplied)?;
        batch.records.retain(|record| seen.iter().all(|sighting| sighting.id != record.id));
        session.writer.copy(batch).await
    }
}

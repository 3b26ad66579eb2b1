//! Flaws in what a crash leaves.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{EventFlaw, Session};
use crate::error::{Error, Failure};
use crate::log::LogId;
use crate::memory::{EventBackup, MemoryEventStore};
use crate::ownership::WriteGrant;
use crate::ports::event_store::{
    Appended, CopyBatch, EventSource as _, EventStore as _, EventWriter, OwnerBatch, StoreIdentity, WriterRole,
};
use crate::position::{Cut, PrefixDigest};

/// Breaks E5: commits the cursor after the batch, in a transaction of its own.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct CursorOnItsOwn;

#[async_trait]
impl EventFlaw for CursorOnItsOwn {
    async fn append(&self, session: &Session, mut batch: OwnerBatch) -> Result<Appended, Failure> {
        let log = batch.log.clone();
        let later = batch.cursor.take().map(|cursor| OwnerBatch::new(log, Vec::new()).with_cursor(cursor));
        if let Some(oversized) = later.clone() {
            crate::store::append::check_owner_batch(&oversized).map_err(Failure::NotApplied)?;
        }
        let answer = session.writer.append(batch).await?;
        if let Some(cursor) = later {
            session.writer.append(cursor).await?;
        }
        Ok(answer)
    }
}

/// Breaks E6: answers an owner's append before it is synced; the next other write syncs it.
#[derive(Debug, Default)]
pub struct AcknowledgesBeforeSync {
    synced: Mutex<Option<EventBackup>>,
}

impl AcknowledgesBeforeSync {
    fn set(&self, synced: Option<EventBackup>) {
        *self.synced.lock().unwrap_or_else(PoisonError::into_inner) = synced;
    }
}

#[async_trait]
impl EventFlaw for AcknowledgesBeforeSync {
    async fn append(&self, session: &Session, batch: OwnerBatch) -> Result<Appended, Failure> {
        self.set(Some(session.store.backup()));
        session.writer.append(batch).await
    }

    async fn copy(&self, session: &Session, batch: CopyBatch) -> Result<PrefixDigest, Failure> {
        self.set(None);
        session.writer.copy(batch).await
    }

    async fn open_writer(
        &self,
        store: &MemoryEventStore,
        logs: &[LogId],
        role: WriterRole,
    ) -> Result<Box<dyn EventWriter>, Failure> {
        self.set(None);
        store.open_writer(logs, role).await
    }

    async fn seal(&self, store: &MemoryEventStore, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure> {
        self.set(None);
        store.seal(logs, grant).await
    }

    async fn crash(&self, store: &MemoryEventStore) {
        store.crash();
        let synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(synced) = synced {
            store.restore(synced);
        }
        store.reopen();
    }
}

/// Breaks E7: keeps fences in the process alone.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct VolatileFence;

#[async_trait]
impl EventFlaw for VolatileFence {
    async fn crash(&self, store: &MemoryEventStore) {
        store.crash();
        store.restore(store.backup().without_fences());
        store.reopen();
    }
}

/// Breaks E15: counts commits from the opening of the store.
#[derive(Debug, Default)]
pub struct CountsCommitsFromOpening {
    at_opening: Mutex<u64>,
}

#[async_trait]
impl EventFlaw for CountsCommitsFromOpening {
    async fn identity(&self, store: &MemoryEventStore) -> Result<StoreIdentity, Error> {
        let mut identity = store.identity().await?;
        identity.commit_sequence -= *self.at_opening.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(identity)
    }

    async fn crash(&self, store: &MemoryEventStore) {
        store.crash();
        store.reopen();
        if let Ok(identity) = store.identity().await {
            *self.at_opening.lock().unwrap_or_else(PoisonError::into_inner) = identity.commit_sequence;
        }
    }
}

//! Flaws in sealing.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{EventFlaw, Session};
use crate::error::{ErrorKind, Failure};
use crate::log::LogId;
use crate::memory::MemoryEventStore;
use crate::ownership::WriteGrant;
use crate::ports::event_store::{Appended, EventSource as _, EventStore as _, OwnerBatch, WriterRole};
use crate::position::Cut;
use crate::store::admission::judge_grant;

/// Breaks E9: takes the ends first and raises the fence afterwards, so that an append that was
/// under way lands between.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct SealsWithoutDraining;

#[async_trait]
impl EventFlaw for SealsWithoutDraining {
    async fn seal(&self, store: &MemoryEventStore, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure> {
        let ends = store.ends(logs).await.map_err(Failure::NotApplied)?;
        tokio::task::yield_now().await;
        store.seal(logs, grant).await?;
        Ok(ends)
    }
}

/// Breaks E9: judges an append against the fence when it begins and lets it land whatever has been
/// sealed since.
#[derive(Debug, Default)]
pub struct LandsAfterTheSeal {
    sealed_by: Mutex<Option<WriteGrant>>,
}

#[async_trait]
impl EventFlaw for LandsAfterTheSeal {
    async fn append(&self, session: &Session, batch: OwnerBatch) -> Result<Appended, Failure> {
        let fence = session.store.fence(&batch.log).await.map_err(Failure::NotApplied)?;
        let admitted = match &session.role {
            WriterRole::Owner(grant) => judge_grant(&fence, &batch.log, grant).is_ok(),
            WriterRole::Mirror(_) | WriterRole::Companion => false,
        };
        tokio::task::yield_now().await;
        let answer = session.writer.append(batch.clone()).await;
        let refused = matches!(&answer, Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Fenced);
        let sealed_by = self.sealed_by.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match sealed_by {
            // The store beneath would not write it; under the seal's own grant it does.
            Some(grant) if admitted && refused => {
                session.store.open_writer(&session.logs, WriterRole::Owner(grant)).await?.append(batch).await
            }
            _ => answer,
        }
    }

    async fn seal(&self, store: &MemoryEventStore, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure> {
        let cut = store.seal(logs, grant).await?;
        *self.sealed_by.lock().unwrap_or_else(PoisonError::into_inner) = Some(grant.clone());
        Ok(cut)
    }
}

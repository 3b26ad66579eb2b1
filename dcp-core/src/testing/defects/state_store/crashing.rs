//! Flaws in what a crash leaves.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::StateFlaw;
use crate::error::Failure;
use crate::memory::{MemoryStateStore, StateBackup};
use crate::ports::state_store::{Revision, StateStore as _, Transaction};

/// Breaks S2: of a commit that a crash cuts off, the first write takes effect.
#[derive(Debug, Default)]
pub struct TearsCommits {
    under_way: Mutex<Option<Transaction>>,
}

impl TearsCommits {
    fn swap(&self, transaction: Option<Transaction>) -> Option<Transaction> {
        std::mem::replace(&mut self.under_way.lock().unwrap_or_else(PoisonError::into_inner), transaction)
    }
}

#[async_trait]
impl StateFlaw for TearsCommits {
    async fn commit(&self, store: &MemoryStateStore, transaction: Transaction) -> Result<Revision, Failure> {
        self.swap(Some(transaction.clone()));
        let answer = store.commit(transaction).await;
        self.swap(None);
        answer
    }

    async fn crash(&self, store: &MemoryStateStore) {
        store.crash();
        store.reopen();
        if let Some(mut torn) = self.swap(None) {
            torn.writes.truncate(1);
            // Where its conditions do not hold, nothing of it had been written either.
            let _ = store.commit(torn).await;
        }
    }
}

/// Breaks S4: takes up counting at the highest revision that an entry shows.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct CountsRevisionsFromEntries;

#[async_trait]
impl StateFlaw for CountsRevisionsFromEntries {
    async fn crash(&self, store: &MemoryStateStore) {
        store.crash();
        store.restore(store.backup().with_revision_of_its_entries());
        store.reopen();
    }
}

/// Breaks S6: answers a commit before it is synced; the next one syncs it.
#[derive(Debug, Default)]
pub struct CommitsBeforeSync {
    synced: Mutex<Option<StateBackup>>,
}

#[async_trait]
impl StateFlaw for CommitsBeforeSync {
    async fn commit(&self, store: &MemoryStateStore, transaction: Transaction) -> Result<Revision, Failure> {
        *self.synced.lock().unwrap_or_else(PoisonError::into_inner) = Some(store.backup());
        store.commit(transaction).await
    }

    async fn crash(&self, store: &MemoryStateStore) {
        store.crash();
        let synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(synced) = synced {
            store.restore(synced);
        }
        store.reopen();
    }
}

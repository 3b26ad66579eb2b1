//! A region's state store: what its journal was answered is watched, and may be unsynced.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use dcp_core::memory::{MemoryStateStore, StateBackup};
use dcp_core::ports::{Entry, Key, Revision, StateStore, Transaction, Write};
use dcp_core::{Error, Failure};

use crate::simulation::observations::Observer;

#[derive(Debug)]
pub(super) struct WatchedState {
    pub(super) region: &'static str,
    pub(super) inner: MemoryStateStore,
    pub(super) observer: Arc<Observer>,
    /// With the defect: what is durable while the last journal entry is not.
    pub(super) unsynced: Option<Arc<Mutex<Option<StateBackup>>>>,
}

#[async_trait]
impl StateStore for WatchedState {
    async fn read(&self, key: &Key) -> Result<Option<Entry>, Error> {
        self.inner.read(key).await
    }

    async fn scan(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error> {
        self.inner.scan(prefix, after, limit).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Revision, Failure> {
        let entries: Vec<_> = transaction
            .writes
            .iter()
            .filter_map(|write| match write {
                Write::Put(key, value) if key.as_str().starts_with("journal/entry/") => {
                    Some((key.clone(), value.clone()))
                }
                _ => None,
            })
            .collect();
        let before = (!entries.is_empty()).then(|| self.inner.backup());
        let revision = self.inner.commit(transaction).await?;
        if let Some(unsynced) = &self.unsynced {
            *unsynced.lock().unwrap_or_else(PoisonError::into_inner) = before;
        }
        for (key, value) in entries {
            self.observer.journal_entry(self.region, key, value);
        }
        Ok(revision)
    }
}

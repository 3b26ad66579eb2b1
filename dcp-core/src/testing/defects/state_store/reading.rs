//! Flaws in what is read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::StateFlaw;
use crate::error::{Error, Failure};
use crate::memory::MemoryStateStore;
use crate::ports::state_store::{Entry, Key, Revision, StateStore, Transaction, Write};

/// Breaks S1: each client answers from a cache that only its own commits refresh.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct CachesReads;

#[derive(Debug)]
struct CachingClient {
    store: Arc<dyn StateStore>,
    cache: Mutex<BTreeMap<Key, Option<Entry>>>,
}

#[async_trait]
impl StateStore for CachingClient {
    async fn read(&self, key: &Key) -> Result<Option<Entry>, Error> {
        let cached = self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        if let Some(entry) = cached {
            return Ok(entry);
        }
        let entry = self.store.read(key).await?;
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), entry.clone());
        Ok(entry)
    }

    async fn scan(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error> {
        self.store.scan(prefix, after, limit).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Revision, Failure> {
        for write in &transaction.writes {
            let (Write::Put(key, _) | Write::Delete(key)) = write;
            self.cache.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        }
        self.store.commit(transaction).await
    }
}

#[async_trait]
impl StateFlaw for CachesReads {
    fn client(&self, store: Arc<dyn StateStore>) -> Arc<dyn StateStore> {
        Arc::new(CachingClient { store, cache: Mutex::default() })
    }
}

/// Breaks S5: a scan returns the key that it should begin after.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ScansTheLastKeyAgain;

#[async_trait]
impl StateFlaw for ScansTheLastKeyAgain {
    async fn scan(
        &self,
        store: &MemoryStateStore,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Entry>, Error> {
        let mut found = store.scan(prefix, after, limit).await?;
        if let Some(last) = after.filter(|key| key.as_str().starts_with(prefix))
            && let Some(entry) = store.read(last).await?
        {
            found.insert(0, entry);
            found.truncate(limit);
        }
        Ok(found)
    }
}

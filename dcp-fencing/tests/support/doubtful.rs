//! A state store whose answers can be lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use dcp_core::memory::MemoryStateStore;
use dcp_core::ports::{Entry, Key, Revision, StateStore, Transaction};
use dcp_core::{Error, Failure};

/// Commits like the store behind it; answers of the next ones can be lost, reads can fail.
#[derive(Debug, Default)]
pub(crate) struct DoubtfulStore {
    inner: MemoryStateStore,
    lost_answers: AtomicU32,
    lost_requests: AtomicU32,
}

impl DoubtfulStore {
    /// Over a fresh store.
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The next commits take effect, and their answers are lost.
    #[allow(dead_code)] // Each test binary uses what it needs.
    pub(crate) fn lose_answers(&self, count: u32) {
        self.lost_answers.store(count, Ordering::SeqCst);
    }

    /// The next commits never arrive, which their caller cannot know.
    #[allow(dead_code)]
    pub(crate) fn lose_requests(&self, count: u32) {
        self.lost_requests.store(count, Ordering::SeqCst);
    }

    /// The store behind it.
    #[allow(dead_code)]
    pub(crate) fn inner(&self) -> &MemoryStateStore {
        &self.inner
    }
}

fn takes_one(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

#[async_trait]
impl StateStore for DoubtfulStore {
    async fn read(&self, key: &Key) -> Result<Option<Entry>, Error> {
        self.inner.read(key).await
    }

    async fn scan(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error> {
        self.inner.scan(prefix, after, limit).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Revision, Failure> {
        if takes_one(&self.lost_requests) {
            return Err(Failure::in_doubt("lost-request", "no answer"));
        }
        let revision = self.inner.commit(transaction).await?;
        if takes_one(&self.lost_answers) {
            return Err(Failure::in_doubt("lost-answer", "no answer"));
        }
        Ok(revision)
    }
}

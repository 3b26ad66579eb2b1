//! State stores that break one clause each, over the in-memory one.

mod committing;
mod crashing;
mod reading;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

pub use committing::{AcceptsLargeValues, ChecksThenActs, TakesDeletedForUnchanged};
pub use crashing::{CommitsBeforeSync, CountsRevisionsFromEntries, TearsCommits};
pub use reading::{CachesReads, ScansTheLastKeyAgain};

use crate::error::{Error, Failure};
use crate::memory::MemoryStateStore;
use crate::ports::state_store::{Entry, Key, Revision, StateStore, Transaction};
use crate::testing::state_store::StateStoreFixture;

/// What a flawed store does in its own way; whatever is left out it does as the sound one.
#[async_trait]
pub trait StateFlaw: fmt::Debug + Default + Send + Sync + 'static {
    /// Instead of [`StateStore::scan`].
    async fn scan(
        &self,
        store: &MemoryStateStore,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Entry>, Error> {
        store.scan(prefix, after, limit).await
    }

    /// Instead of [`StateStore::commit`].
    async fn commit(&self, store: &MemoryStateStore, transaction: Transaction) -> Result<Revision, Failure> {
        store.commit(transaction).await
    }

    /// Another client of the store.
    fn client(&self, store: Arc<dyn StateStore>) -> Arc<dyn StateStore> {
        store
    }

    /// Instead of a crash and a reopening.
    async fn crash(&self, store: &MemoryStateStore) {
        store.crash();
        store.reopen();
    }
}

/// A store with a flaw.
#[derive(Debug)]
pub struct FlawedStateStore<F> {
    inner: MemoryStateStore,
    flaw: F,
}

/// Fixture of a store with a flaw, for [`clauses`](crate::testing::state_store::clauses).
#[derive(Debug)]
pub struct FlawedState<F>(Arc<FlawedStateStore<F>>);

#[async_trait]
impl<F: StateFlaw> StateStoreFixture for FlawedState<F> {
    async fn start() -> Self {
        Self(Arc::new(FlawedStateStore { inner: MemoryStateStore::new(), flaw: F::default() }))
    }

    fn store(&self) -> Arc<dyn StateStore> {
        Arc::clone(&self.0) as Arc<dyn StateStore>
    }

    fn client(&self) -> Arc<dyn StateStore> {
        self.0.flaw.client(self.store())
    }

    async fn crash(&mut self) {
        self.0.flaw.crash(&self.0.inner).await;
    }
}

#[async_trait]
impl<F: StateFlaw> StateStore for FlawedStateStore<F> {
    async fn read(&self, key: &Key) -> Result<Option<Entry>, Error> {
        self.inner.read(key).await
    }
    async fn scan(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error> {
        self.flaw.scan(&self.inner, prefix, after, limit).await
    }
    async fn commit(&self, transaction: Transaction) -> Result<Revision, Failure> {
        self.flaw.commit(&self.inner, transaction).await
    }
}

//! A state store, carried.

use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::ports::{Entry, Key, Revision, StateStore, Transaction};
use dcp_core::{Error, Failure};

use super::super::network::Path;
use super::{undone, unread};

/// A state store, of this process or another.
#[derive(Debug)]
pub(in crate::simulation) struct CarriedState {
    path: Path,
    inner: Arc<dyn StateStore>,
}

impl CarriedState {
    pub(in crate::simulation) fn new(path: Path, inner: Arc<dyn StateStore>) -> Self {
        Self { path, inner }
    }
}

#[async_trait]
impl StateStore for CarriedState {
    async fn read(&self, key: &Key) -> Result<Option<Entry>, Error> {
        let (inner, key) = (Arc::clone(&self.inner), key.clone());
        self.path.carry(async move { inner.read(&key).await }).await.unwrap_or_else(unread)
    }

    async fn scan(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error> {
        let (inner, prefix, after) = (Arc::clone(&self.inner), prefix.to_owned(), after.cloned());
        let scan = async move { inner.scan(&prefix, after.as_ref(), limit).await };
        self.path.carry(scan).await.unwrap_or_else(unread)
    }

    async fn commit(&self, transaction: Transaction) -> Result<Revision, Failure> {
        let inner = Arc::clone(&self.inner);
        self.path.carry(async move { inner.commit(transaction).await }).await.unwrap_or_else(undone)
    }
}

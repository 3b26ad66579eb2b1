//! A `StateStore` behind an endpoint.

use std::borrow::Cow;

use async_trait::async_trait;

use super::RemoteEndpoint;
use crate::error::{Error, Failure};
use crate::ports::state_store::SCAN_MAX;
use crate::ports::{Entry, Key, Revision, StateStore, Transaction};
use crate::remote::wire::messages::{SMALL, Scan, paths, transaction_capacity};

/// The state store that an endpoint offers. Keeps the contract of [`StateStore`] within the bound of
/// a body: a transaction, or the entries of a scan, above 16 MiB are refused with `Invalid`.
#[derive(Debug, Clone)]
pub struct RemoteStateStore {
    endpoint: RemoteEndpoint,
}

impl RemoteStateStore {
    /// The store behind this endpoint.
    #[must_use]
    pub fn new(endpoint: RemoteEndpoint) -> Self {
        Self { endpoint }
    }
}

#[async_trait]
impl StateStore for RemoteStateStore {
    async fn read(&self, key: &Key) -> Result<Option<Entry>, Error> {
        self.endpoint.ask(paths::STATE_READ, key, SMALL, self.endpoint.deadlines().read()).await
    }

    async fn scan(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error> {
        let limit = limit.min(SCAN_MAX) as u64;
        let scan = Scan { prefix: Cow::Borrowed(prefix), after: after.map(Cow::Borrowed), limit };
        let capacity = SMALL + prefix.len();
        self.endpoint.ask(paths::STATE_SCAN, &scan, capacity, self.endpoint.deadlines().read()).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Revision, Failure> {
        transaction.check().map_err(Failure::NotApplied)?;
        let capacity = transaction_capacity(&transaction);
        self.endpoint.effect(paths::STATE_COMMIT, &transaction, capacity, self.endpoint.deadlines().effect()).await
    }
}

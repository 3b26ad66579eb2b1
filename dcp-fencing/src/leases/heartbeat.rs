//! What is made durable before each renewal.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::Error;
use dcp_core::ids::SliceRef;
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{EventSource, StoreIdentity};

/// Called before each renewal: a region whose disk has stalled must not keep its lease alive.
#[async_trait]
pub trait BeforeRenewal: fmt::Debug + Send + Sync + 'static {
    /// Makes a heartbeat durable in the region's own event store, then answers that store's
    /// identity; `held` are the grants that are valid now.
    ///
    /// # Errors
    /// Any kind: the renewal is then not sent, and prolongs nothing.
    ///
    /// # Cancel safety
    /// Must be cancel safe: it is dropped when the renewal's deadline passes.
    async fn before_renewal(&self, held: &BTreeMap<SliceRef, WriteGrant>) -> Result<StoreIdentity, Error>;
}

/// Writes no heartbeat; asks the store for its identity only. For regions without links, and tests.
#[derive(Debug, Clone)]
pub struct NoHeartbeat {
    store: Arc<dyn EventSource>,
}

impl NoHeartbeat {
    /// Over the region's own event store.
    #[must_use]
    pub fn new(store: Arc<dyn EventSource>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl BeforeRenewal for NoHeartbeat {
    async fn before_renewal(&self, _held: &BTreeMap<SliceRef, WriteGrant>) -> Result<StoreIdentity, Error> {
        self.store.identity().await
    }
}

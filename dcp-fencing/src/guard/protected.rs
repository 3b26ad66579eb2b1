//! What a guard stands at.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::Failure;
use dcp_core::log::LogId;
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{EventStore, WriterRole};
use dcp_core::position::Cut;

/// How far a barrier reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Reach {
    /// Effects under epochs below the grant's.
    BelowEpoch,
    /// Those, and effects under the grant's own epoch that were begun before the call.
    ThroughEpoch,
}

/// A resource behind a guard.
#[async_trait]
pub trait Protected: fmt::Debug + Send + Sync + 'static {
    /// Returns once no effect within `reach` can land any more, whatever has become of the process
    /// or future that began it; answers where the resource's logs then end.
    ///
    /// Idempotent.
    ///
    /// # Errors
    /// `NotApplied` or `InDoubt`: the seal is not done; it is asked again.
    async fn barrier(&self, grant: &WriteGrant, reach: Reach) -> Result<Cut, Failure>;
}

/// The logs of one slice in an event store, whose own fence stops what was abandoned.
#[derive(Debug, Clone)]
pub struct EventStoreSlice {
    store: Arc<dyn EventStore>,
    logs: Vec<LogId>,
}

impl EventStoreSlice {
    /// The slice's logs of this region as origin.
    #[must_use]
    pub fn new(store: Arc<dyn EventStore>, logs: Vec<LogId>) -> Self {
        Self { store, logs }
    }
}

#[async_trait]
impl Protected for EventStoreSlice {
    async fn barrier(&self, grant: &WriteGrant, reach: Reach) -> Result<Cut, Failure> {
        if reach == Reach::ThroughEpoch {
            // The store's fence compares epochs, so within one epoch only a newer writer stops an
            // older one; the writer that is opened here is closed again without an append.
            drop(self.store.open_writer(&self.logs, WriterRole::Owner(grant.clone())).await?);
        }
        self.store.seal(&self.logs, grant).await
    }
}

//! What is made durable before each renewal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::Error;
use dcp_core::ids::SliceRef;
use dcp_core::log::LogId;
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{EventSource, StoreIdentity};
use dcp_core::position::PrefixDigest;

/// Called before each renewal: a region whose disk has stalled must not keep its lease alive.
#[async_trait]
pub trait BeforeRenewal: fmt::Debug + Send + Sync + 'static {
    /// Makes a heartbeat durable in the region's own event store, then answers that store's
    /// history; `held` are the grants that are valid now, `remembered` the prefixes that the
    /// witness keeps of the last renewal ([`StoreHistory::of`] does the second half).
    ///
    /// # Errors
    /// Any kind: the renewal is then not sent, and prolongs nothing.
    ///
    /// # Cancel safety
    /// Must be cancel safe: it is dropped when the renewal's deadline passes.
    async fn before_renewal(
        &self,
        held: &BTreeMap<SliceRef, WriteGrant>,
        remembered: &BTreeMap<LogId, PrefixDigest>,
    ) -> Result<StoreHistory, Error>;
}

/// What an event store shows of the last renewal and keeps for the next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct StoreHistory {
    /// Which store it is.
    pub store: StoreIdentity,
    /// Its prefixes at the remembered counts; a log that is shorter is left out.
    pub shown: BTreeMap<LogId, PrefixDigest>,
    /// Its logs as they end now.
    pub kept: BTreeMap<LogId, PrefixDigest>,
}

impl StoreHistory {
    /// Reads what a store shows of `remembered`, and keeps those logs and `logs`. Best are logs to
    /// which something was written since the last renewal that no other run would write alike: the
    /// companion logs, after a heartbeat.
    ///
    /// # Errors
    /// What the store says.
    pub async fn of(
        store: &dyn EventSource,
        logs: impl IntoIterator<Item = LogId>,
        remembered: &BTreeMap<LogId, PrefixDigest>,
    ) -> Result<Self, Error> {
        let mut shown = BTreeMap::new();
        for (log, was) in remembered {
            if let Some(is) = store.prefix(log, was.count).await? {
                shown.insert(log.clone(), is);
            }
        }
        let logs: BTreeSet<LogId> = logs.into_iter().chain(remembered.keys().cloned()).collect();
        let logs: Vec<LogId> = logs.into_iter().collect();
        let ends = store.ends(&logs).await?;
        let kept = ends.iter().map(|(log, end)| (log.clone(), end.prefix)).collect();
        Ok(Self { store: store.identity().await?, shown, kept })
    }
}

/// Writes no heartbeat; keeps the ends of all logs of the store, so that a store that has lost
/// records is noticed, but not one that has lost fences alone. For regions without links and with
/// few logs, and tests: a renewal is then as large as the store has logs.
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
    async fn before_renewal(
        &self,
        _held: &BTreeMap<SliceRef, WriteGrant>,
        remembered: &BTreeMap<LogId, PrefixDigest>,
    ) -> Result<StoreHistory, Error> {
        StoreHistory::of(self.store.as_ref(), self.store.logs().await?, remembered).await
    }
}

//! An event store whose seal does not drain: it answers the ends first, and what was admitted
//! before still lands.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::event::EventId;
use dcp_core::fence::{Fence, FenceRank};
use dcp_core::ids::{CursorName, ScopeId};
use dcp_core::log::LogId;
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{
    Appended, CopyBatch, EventReader, EventSource, EventStore, EventWriter, OwnerBatch, ReadFrom, Sighting,
    StoreIdentity, WriterRole,
};
use dcp_core::position::{Cut, PrefixDigest};
use dcp_core::{Error, ErrorKind, Failure};
use tokio::sync::Notify;

#[derive(Debug)]
pub(crate) struct LeakySeal {
    inner: Arc<dyn EventStore>,
    // Fences that were answered and are not in the store.
    claimed: Arc<Mutex<BTreeMap<LogId, FenceRank>>>,
    // Told once the ends are read: what is under way lands behind them.
    sealed: Arc<Notify>,
}

impl LeakySeal {
    pub(crate) fn over(inner: Arc<dyn EventStore>, sealed: Arc<Notify>) -> Self {
        Self { inner, claimed: Arc::default(), sealed }
    }

    fn claimed(&self, log: &LogId) -> Option<FenceRank> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).get(log).cloned()
    }
}

#[async_trait]
impl EventSource for LeakySeal {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        self.inner.identity().await
    }
    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error> {
        self.inner.ends(logs).await
    }
    async fn logs(&self) -> Result<Vec<LogId>, Error> {
        self.inner.logs().await
    }
    async fn fence(&self, log: &LogId) -> Result<Fence, Error> {
        let fence = self.inner.fence(log).await?;
        Ok(self.claimed(log).map_or(fence.clone(), |claimed| fence.raised(&claimed)))
    }
    async fn prefix(&self, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        self.inner.prefix(log, count).await
    }
    async fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Result<Vec<Sighting>, Error> {
        self.inner.sightings(scope, partition, ids).await
    }
    async fn cursor(&self, name: &CursorName) -> Result<Option<Bytes>, Error> {
        self.inner.cursor(name).await
    }
    async fn open_reader(&self, log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error> {
        self.inner.open_reader(log, from).await
    }
}

#[async_trait]
impl EventStore for LeakySeal {
    async fn open_writer(&self, logs: &[LogId], role: WriterRole) -> Result<Box<dyn EventWriter>, Failure> {
        if let WriterRole::Owner(grant) = &role
            && logs.iter().filter_map(|log| self.claimed(log)).any(|claimed| claimed.epoch > grant.epoch)
        {
            return Err(Failure::NotApplied(Error::fenced("stale", "below a fence that was answered")));
        }
        let writer = self.inner.open_writer(logs, role.clone()).await?;
        Ok(Box::new(LeakyWriter { inner: Arc::clone(&self.inner), logs: logs.to_vec(), role, writer }))
    }

    async fn seal(&self, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure> {
        let rank = FenceRank { epoch: grant.epoch, issuer: grant.owner.clone(), revision: 0 };
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        claimed.extend(logs.iter().map(|log| (log.clone(), rank.clone())));
        *self.claimed.lock().unwrap_or_else(PoisonError::into_inner) = claimed;
        let ends = self.inner.ends(logs).await.map_err(Failure::NotApplied);
        self.sealed.notify_waiters();
        ends
    }
}

#[derive(Debug)]
struct LeakyWriter {
    inner: Arc<dyn EventStore>,
    logs: Vec<LogId>,
    role: WriterRole,
    writer: Box<dyn EventWriter>,
}

#[async_trait]
impl EventWriter for LeakyWriter {
    async fn append(&self, batch: OwnerBatch) -> Result<Appended, Failure> {
        match self.writer.append(batch.clone()).await {
            Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Fenced => {
                self.inner.open_writer(&self.logs, self.role.clone()).await?.append(batch).await
            }
            answer => answer,
        }
    }
    async fn copy(&self, batch: CopyBatch) -> Result<PrefixDigest, Failure> {
        self.writer.copy(batch).await
    }
}

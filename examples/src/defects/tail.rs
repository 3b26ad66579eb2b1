//! A source that shows of the lost region's logs only what had been mirrored: a link over it goes on
//! without the tail.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::Error;
use dcp_core::event::{EventId, Placed};
use dcp_core::fence::Fence;
use dcp_core::ids::{CursorName, ScopeId};
use dcp_core::log::LogId;
use dcp_core::ports::{EventReader, EventSource, ReadFrom, Sighting, StoreIdentity};
use dcp_core::position::{Cut, LogEnd, PrefixDigest};

#[derive(Debug)]
pub(crate) struct HidesTail {
    inner: Arc<dyn EventSource>,
    hidden: Arc<Mutex<Cut>>,
}

impl HidesTail {
    /// Hides what comes after `hidden`, as soon as that is set.
    pub(crate) fn over(inner: Arc<dyn EventSource>, hidden: Arc<Mutex<Cut>>) -> Self {
        Self { inner, hidden }
    }

    fn shown(&self, log: &LogId) -> Option<u64> {
        let hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        hidden.get(log).map(|end| end.prefix.count)
    }
}

#[async_trait]
impl EventSource for HidesTail {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        self.inner.identity().await
    }

    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error> {
        let mut ends = Cut::new();
        for (log, end) in self.inner.ends(logs).await?.iter() {
            let mut end = *end;
            if let Some(shown) = self.shown(log).filter(|shown| *shown < end.prefix.count) {
                let prefix = self.inner.prefix(log, shown).await?.unwrap_or(PrefixDigest::EMPTY);
                let mut reader = self.inner.open_reader(log, ReadFrom::Start).await?;
                let limit = usize::try_from(shown).unwrap_or(usize::MAX);
                let records = if shown == 0 { Vec::new() } else { reader.next(limit, Duration::ZERO).await? };
                end = LogEnd { last: records.last().map(|placed| placed.position), prefix, ..end };
            }
            ends.insert(log.clone(), end);
        }
        Ok(ends)
    }

    async fn logs(&self) -> Result<Vec<LogId>, Error> {
        self.inner.logs().await
    }

    async fn fence(&self, log: &LogId) -> Result<Fence, Error> {
        self.inner.fence(log).await
    }

    async fn prefix(&self, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        if self.shown(log).is_some_and(|shown| shown < count) {
            return Ok(None);
        }
        self.inner.prefix(log, count).await
    }

    async fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Result<Vec<Sighting>, Error> {
        self.inner.sightings(scope, partition, ids).await
    }

    async fn cursor(&self, name: &CursorName) -> Result<Option<Bytes>, Error> {
        self.inner.cursor(name).await
    }

    async fn open_reader(&self, log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error> {
        let inner = self.inner.open_reader(log, from).await?;
        let end = self.ends(std::slice::from_ref(log)).await?.get(log).and_then(|end| end.last);
        let hides = self.shown(log).is_some();
        Ok(Box::new(ShortReader { inner, last: hides.then_some(end) }))
    }
}

#[derive(Debug)]
struct ShortReader {
    inner: Box<dyn EventReader>,
    // Where it ends, if it is cut off.
    last: Option<Option<dcp_core::position::Position>>,
}

#[async_trait]
impl EventReader for ShortReader {
    async fn next(&mut self, limit: usize, wait: Duration) -> Result<Vec<Placed>, Error> {
        let mut placed = self.inner.next(limit, wait).await?;
        if let Some(last) = self.last {
            let rank = last.map(|last| last.rank());
            placed.retain(|one| Some(one.position.rank()) <= rank);
        }
        Ok(placed)
    }
}

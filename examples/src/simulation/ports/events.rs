//! An event store, carried.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::event::{EventId, Placed};
use dcp_core::fence::Fence;
use dcp_core::ids::{CursorName, ScopeId};
use dcp_core::log::LogId;
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{
    Appended, CopyBatch, EventReader, EventSource, EventStore, EventWriter, OwnerBatch, ReadFrom, Sighting,
    StoreIdentity, WriterRole,
};
use dcp_core::position::{Cut, PrefixDigest};
use dcp_core::{Error, Failure};

use super::super::network::Path;
use super::super::process::Process;
use super::unread;

/// The reading half of a store, of this process or another.
#[derive(Debug, Clone)]
pub(in crate::simulation) struct CarriedSource {
    path: Path,
    inner: Arc<dyn EventSource>,
}

impl CarriedSource {
    pub(in crate::simulation) fn new(path: Path, inner: Arc<dyn EventSource>) -> Self {
        Self { path, inner }
    }
}

macro_rules! carried {
    ($self:ident, |$inner:ident| $call:expr) => {{
        let $inner = Arc::clone(&$self.inner);
        $self.path.carry(async move { $call.await }).await.unwrap_or_else(unread)
    }};
}

#[async_trait]
impl EventSource for CarriedSource {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        carried!(self, |inner| inner.identity())
    }
    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error> {
        let logs = logs.to_vec();
        carried!(self, |inner| inner.ends(&logs))
    }
    async fn logs(&self) -> Result<Vec<LogId>, Error> {
        carried!(self, |inner| inner.logs())
    }
    async fn fence(&self, log: &LogId) -> Result<Fence, Error> {
        let log = log.clone();
        carried!(self, |inner| inner.fence(&log))
    }
    async fn prefix(&self, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        let log = log.clone();
        carried!(self, |inner| inner.prefix(&log, count))
    }
    async fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Result<Vec<Sighting>, Error> {
        let (scope, ids) = (scope.clone(), ids.to_vec());
        carried!(self, |inner| inner.sightings(&scope, partition, &ids))
    }
    async fn cursor(&self, name: &CursorName) -> Result<Option<Bytes>, Error> {
        let name = name.clone();
        carried!(self, |inner| inner.cursor(&name))
    }
    async fn open_reader(&self, log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error> {
        let asked = log.clone();
        let reader = carried!(self, |inner| inner.open_reader(&asked, from))?;
        drop(reader);
        Ok(Box::new(CarriedReader { source: self.clone(), log: log.clone(), from }))
    }
}

/// A reader that holds no session at the far end, as over a wire: each call names where it stands.
#[derive(Debug)]
struct CarriedReader {
    source: CarriedSource,
    log: LogId,
    from: ReadFrom,
}

#[async_trait]
impl EventReader for CarriedReader {
    async fn next(&mut self, limit: usize, wait: Duration) -> Result<Vec<Placed>, Error> {
        let (log, from, inner) = (self.log.clone(), self.from, Arc::clone(&self.source.inner));
        let read = async move {
            let mut reader = inner.open_reader(&log, from).await?;
            reader.next(limit, wait).await
        };
        let placed = self.source.path.carry(read).await.unwrap_or_else(unread)?;
        if let Some(last) = placed.last() {
            self.from = ReadFrom::After(last.position);
        }
        Ok(placed)
    }
}

/// This process's own store.
#[derive(Debug)]
pub(in crate::simulation) struct CarriedStore {
    source: CarriedSource,
    process: Arc<Process>,
    inner: Arc<dyn EventStore>,
}

impl CarriedStore {
    pub(in crate::simulation) fn new(process: &Arc<Process>, inner: Arc<dyn EventStore>) -> Self {
        let source = CarriedSource::new(Path::Local(Arc::clone(process)), Arc::clone(&inner) as Arc<dyn EventSource>);
        Self { source, process: Arc::clone(process), inner }
    }
}

#[async_trait]
impl EventSource for CarriedStore {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        self.source.identity().await
    }
    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error> {
        self.source.ends(logs).await
    }
    async fn logs(&self) -> Result<Vec<LogId>, Error> {
        self.source.logs().await
    }
    async fn fence(&self, log: &LogId) -> Result<Fence, Error> {
        self.source.fence(log).await
    }
    async fn prefix(&self, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        self.source.prefix(log, count).await
    }
    async fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Result<Vec<Sighting>, Error> {
        self.source.sightings(scope, partition, ids).await
    }
    async fn cursor(&self, name: &CursorName) -> Result<Option<Bytes>, Error> {
        self.source.cursor(name).await
    }
    async fn open_reader(&self, log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error> {
        self.source.open_reader(log, from).await
    }
}

#[async_trait]
impl EventStore for CarriedStore {
    async fn open_writer(&self, logs: &[LogId], role: WriterRole) -> Result<Box<dyn EventWriter>, Failure> {
        self.process.awake().await;
        let opened = self.inner.open_writer(logs, role).await;
        self.process.awake().await;
        Ok(Box::new(CarriedWriter { process: Arc::clone(&self.process), inner: opened? }))
    }
    async fn seal(&self, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure> {
        self.process.awake().await;
        let sealed = self.inner.seal(logs, grant).await;
        self.process.awake().await;
        sealed
    }
}

#[derive(Debug)]
struct CarriedWriter {
    process: Arc<Process>,
    inner: Box<dyn EventWriter>,
}

#[async_trait]
impl EventWriter for CarriedWriter {
    async fn append(&self, batch: OwnerBatch) -> Result<Appended, Failure> {
        self.process.awake().await;
        let appended = self.inner.append(batch).await;
        self.process.awake().await;
        appended
    }
    async fn copy(&self, batch: CopyBatch) -> Result<PrefixDigest, Failure> {
        self.process.awake().await;
        let copied = self.inner.copy(batch).await;
        self.process.awake().await;
        copied
    }
}

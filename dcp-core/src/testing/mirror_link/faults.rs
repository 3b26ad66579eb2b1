//! Faults between a link and its stores.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{Error, Failure};
use crate::event::EventId;
use crate::fence::Fence;
use crate::ids::{CursorName, ScopeId};
use crate::log::LogId;
use crate::ownership::WriteGrant;
use crate::ports::event_store::{
    Appended, CopyBatch, EventReader, EventSource, EventStore, EventWriter, OwnerBatch, ReadFrom, Sighting,
    StoreIdentity, WriterRole,
};
use crate::position::{Cut, PrefixDigest};

/// The source as the link sees it: it can be cut off, and replaced by another.
#[derive(Debug)]
pub struct FaultySource {
    inner: Mutex<Arc<dyn EventSource>>,
    cut: AtomicBool,
}

impl FaultySource {
    /// Passes everything on.
    #[must_use]
    pub fn new(inner: Arc<dyn EventSource>) -> Self {
        Self { inner: Mutex::new(inner), cut: AtomicBool::new(false) }
    }

    /// Cuts every call off, or joins again.
    pub fn set_cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }

    /// From now on this is the source.
    pub fn replace(&self, inner: Arc<dyn EventSource>) {
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner) = inner;
    }

    fn inner(&self) -> Result<Arc<dyn EventSource>, Error> {
        if self.cut.load(Ordering::SeqCst) {
            return Err(Error::retry("cut", "the source is cut off"));
        }
        Ok(Arc::clone(&self.inner.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

#[async_trait]
impl EventSource for FaultySource {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        self.inner()?.identity().await
    }
    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error> {
        self.inner()?.ends(logs).await
    }
    async fn logs(&self) -> Result<Vec<LogId>, Error> {
        self.inner()?.logs().await
    }
    async fn fence(&self, log: &LogId) -> Result<Fence, Error> {
        self.inner()?.fence(log).await
    }
    async fn prefix(&self, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        self.inner()?.prefix(log, count).await
    }
    async fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Result<Vec<Sighting>, Error> {
        self.inner()?.sightings(scope, partition, ids).await
    }
    async fn cursor(&self, name: &CursorName) -> Result<Option<Bytes>, Error> {
        self.inner()?.cursor(name).await
    }
    async fn open_reader(&self, log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error> {
        self.inner()?.open_reader(log, from).await
    }
}

/// What becomes of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum CopyFault {
    /// It is done, and the answer is lost: in doubt.
    AnswerLost,
    /// It is not done, and neither is that answered: in doubt.
    RequestLost,
    /// It is done, and the call never returns.
    Hangs,
}

/// The local store as the link sees it: counts the copies that landed, one may go wrong, and for some
/// calls it may not answer.
#[derive(Debug)]
pub struct FaultyLocal {
    inner: Arc<dyn EventStore>,
    plan: Arc<CopyPlan>,
}

/// What has become of the copies so far, and what shall become of the next.
#[derive(Debug, Default)]
pub struct CopyPlan {
    landed: AtomicUsize,
    next: Mutex<Option<(usize, CopyFault)>>,
    // Calls that are answered, then calls that are not.
    silence: Mutex<(usize, usize)>,
}

impl CopyPlan {
    /// Copies that landed through this store.
    #[must_use]
    pub fn landed(&self) -> usize {
        self.landed.load(Ordering::SeqCst)
    }

    /// Lets `good` more copies pass, and then one meet this fault.
    pub fn plan(&self, good: usize, fault: CopyFault) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some((good, fault));
    }

    /// Whether the planned fault has been met.
    #[must_use]
    pub fn fired(&self) -> bool {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Forgets the planned fault.
    pub fn clear(&self) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Lets `answered` more calls of the store, of any kind, pass, and refuses the next `unanswered` with
    /// `Retry`.
    pub fn fall_silent(&self, answered: usize, unanswered: usize) {
        *self.silence.lock().unwrap_or_else(PoisonError::into_inner) = (answered, unanswered);
    }

    /// Whether every call is answered again.
    #[must_use]
    pub fn is_silence_over(&self) -> bool {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner).1 == 0
    }

    fn answers(&self) -> Result<(), Error> {
        let mut silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *silence {
            (_, 0) => Ok(()),
            (0, unanswered) => {
                *unanswered -= 1;
                Err(Error::retry("silent", "the local store does not answer"))
            }
            (answered, _) => {
                *answered -= 1;
                Ok(())
            }
        }
    }

    fn draw(&self) -> Option<CopyFault> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        match next.take() {
            Some((0, fault)) => Some(fault),
            Some((good, fault)) => {
                *next = Some((good - 1, fault));
                None
            }
            None => None,
        }
    }
}

impl FaultyLocal {
    /// Passes everything on, as long as the plan has no fault.
    #[must_use]
    pub fn new(inner: Arc<dyn EventStore>, plan: Arc<CopyPlan>) -> Self {
        Self { inner, plan }
    }

    fn inner(&self) -> Result<&Arc<dyn EventStore>, Error> {
        self.plan.answers()?;
        Ok(&self.inner)
    }
}

#[async_trait]
impl EventSource for FaultyLocal {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        self.inner()?.identity().await
    }
    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error> {
        self.inner()?.ends(logs).await
    }
    async fn logs(&self) -> Result<Vec<LogId>, Error> {
        self.inner()?.logs().await
    }
    async fn fence(&self, log: &LogId) -> Result<Fence, Error> {
        self.inner()?.fence(log).await
    }
    async fn prefix(&self, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        self.inner()?.prefix(log, count).await
    }
    async fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Result<Vec<Sighting>, Error> {
        self.inner()?.sightings(scope, partition, ids).await
    }
    async fn cursor(&self, name: &CursorName) -> Result<Option<Bytes>, Error> {
        self.inner()?.cursor(name).await
    }
    async fn open_reader(&self, log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error> {
        self.inner()?.open_reader(log, from).await
    }
}

#[async_trait]
impl EventStore for FaultyLocal {
    async fn open_writer(&self, logs: &[LogId], role: WriterRole) -> Result<Box<dyn EventWriter>, Failure> {
        self.plan.answers().map_err(Failure::NotApplied)?;
        let inner = self.inner.open_writer(logs, role).await?;
        Ok(Box::new(FaultyWriter { inner, plan: Arc::clone(&self.plan) }))
    }
    async fn seal(&self, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure> {
        self.inner.seal(logs, grant).await
    }
}

#[derive(Debug)]
struct FaultyWriter {
    inner: Box<dyn EventWriter>,
    plan: Arc<CopyPlan>,
}

#[async_trait]
impl EventWriter for FaultyWriter {
    async fn append(&self, batch: OwnerBatch) -> Result<Appended, Failure> {
        self.inner.append(batch).await
    }

    async fn copy(&self, batch: CopyBatch) -> Result<PrefixDigest, Failure> {
        self.plan.answers().map_err(Failure::NotApplied)?;
        let fault = self.plan.draw();
        if fault == Some(CopyFault::RequestLost) {
            return Err(Failure::in_doubt("request-lost", "no answer to the copy"));
        }
        let prefix = self.inner.copy(batch).await?;
        self.plan.landed.fetch_add(1, Ordering::SeqCst);
        match fault {
            Some(CopyFault::AnswerLost) => Err(Failure::in_doubt("answer-lost", "no answer to the copy")),
            Some(CopyFault::Hangs) => std::future::pending().await,
            Some(CopyFault::RequestLost) | None => Ok(prefix),
        }
    }
}

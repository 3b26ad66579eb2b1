//! A region that starts open: until its plane has opened something, it appends under whatever signed
//! grant it is shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use dcp_core::Error;
use dcp_core::Failure;
use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::log::LogId;
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{AppendRequest, Appended, Appends, EventStore, OwnerBatch, WriterRole};
use dcp_core::treaty::Treaty;

#[derive(Debug)]
pub(crate) struct OpenFromStart {
    inner: Arc<dyn Appends>,
    store: Arc<dyn EventStore>,
    treaty: Arc<Treaty>,
    opened: AtomicBool,
}

impl OpenFromStart {
    pub(crate) fn over(inner: Arc<dyn Appends>, store: Arc<dyn EventStore>, treaty: Arc<Treaty>) -> Self {
        Self { inner, store, treaty, opened: AtomicBool::new(false) }
    }

    fn shown(&self, request: &AppendRequest) -> Option<WriteGrant> {
        self.treaty.keyring().open_by_issuer(request.grant.as_ref()?).ok()
    }

    async fn append_anyway(&self, request: AppendRequest, grant: WriteGrant) -> Result<Appended, Failure> {
        let logs = self.treaty.logs_of(&grant.slice, self.inner.region()).map_err(Failure::NotApplied)?;
        let writer = self.store.open_writer(&logs, WriterRole::Owner(grant)).await?;
        let log = LogId::new(request.scope.clone(), self.inner.region().clone(), request.partition);
        writer.append(OwnerBatch::new(log, request.events)).await
    }
}

#[async_trait]
impl Appends for OpenFromStart {
    fn region(&self) -> &RegionId {
        self.inner.region()
    }

    async fn ownership(&self, slice: &SliceRef) -> Result<WriteGrant, Error> {
        self.inner.ownership(slice).await
    }

    async fn append(&self, request: AppendRequest) -> Result<Appended, Failure> {
        let answer = self.inner.append(request.clone()).await;
        if answer.is_ok() {
            self.opened.store(true, Ordering::SeqCst);
        }
        match (answer, self.shown(&request)) {
            (Err(Failure::NotApplied(_)), Some(grant)) if !self.opened.load(Ordering::SeqCst) => {
                self.append_anyway(request, grant).await
            }
            (answer, _) => answer,
        }
    }
}

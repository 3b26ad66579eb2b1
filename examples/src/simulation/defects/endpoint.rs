//! A region that starts open: what its plane has not opened yet it appends under its first grant.

use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::Error;
use dcp_core::Failure;
use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::log::LogId;
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{AppendRequest, Appended, Appends, EventStore, OwnerBatch, WriterRole};
use dcp_core::treaty::Treaty;

#[derive(Debug)]
pub(super) struct OpenFromStart {
    pub(super) inner: Arc<dyn Appends>,
    pub(super) store: Arc<dyn EventStore>,
    pub(super) treaty: Arc<Treaty>,
    pub(super) genesis: Vec<WriteGrant>,
}

impl OpenFromStart {
    // The grant that the region had at genesis, if the slice was its own.
    fn first_grant(&self, request: &AppendRequest) -> Option<&WriteGrant> {
        let slice = self.treaty.scope(&request.scope).ok()?.slice_of(request.partition).ok()?;
        self.genesis.iter().find(|grant| grant.slice.scope == request.scope && &grant.slice.slice == slice)
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
        match (self.inner.append(request.clone()).await, self.first_grant(&request)) {
            (Err(Failure::NotApplied(error)), Some(grant)) if error.code() == "closed" => {
                self.append_anyway(request, grant.clone()).await
            }
            (answer, _) => answer,
        }
    }
}

//! The append endpoint: carried to it, and watched at it.

use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{AppendRequest, Appended, Appends};
use dcp_core::{Error, Failure};

use super::super::network::Wire;
use super::super::observations::Observer;
use super::super::region::Slot;
use super::{undone, unread};

/// A region's endpoint as a client reaches it.
#[derive(Debug)]
pub(in crate::simulation) struct CarriedAppends {
    pub(in crate::simulation) wire: Wire,
    pub(in crate::simulation) slot: Slot,
    pub(in crate::simulation) region: RegionId,
}

#[async_trait]
impl Appends for CarriedAppends {
    fn region(&self) -> &RegionId {
        &self.region
    }

    async fn ownership(&self, slice: &SliceRef) -> Result<WriteGrant, Error> {
        let (slot, slice) = (self.slot.clone(), slice.clone());
        let ownership = async move { slot.served()?.appends.ownership(&slice).await };
        self.wire.carry(ownership).await.unwrap_or_else(unread)
    }

    async fn append(&self, request: AppendRequest) -> Result<Appended, Failure> {
        let slot = self.slot.clone();
        let append = async move {
            let served = slot.served().map_err(Failure::NotApplied)?;
            served.appends.append(request).await
        };
        self.wire.carry(append).await.unwrap_or_else(undone)
    }
}

/// An endpoint whose acknowledgements are compared with the witness, whoever counts them.
#[derive(Debug)]
pub(in crate::simulation) struct ObservedAppends {
    pub(in crate::simulation) inner: Arc<dyn Appends>,
    pub(in crate::simulation) observer: Arc<Observer>,
}

#[async_trait]
impl Appends for ObservedAppends {
    fn region(&self) -> &RegionId {
        self.inner.region()
    }

    async fn ownership(&self, slice: &SliceRef) -> Result<WriteGrant, Error> {
        self.inner.ownership(slice).await
    }

    async fn append(&self, request: AppendRequest) -> Result<Appended, Failure> {
        let (scope, partition, epoch) = (request.scope.clone(), request.partition, request.epoch);
        let answer = self.inner.append(request).await;
        if answer.is_ok() {
            self.observer.acknowledged(self.inner.region(), &scope, partition, epoch).await;
        }
        answer
    }
}

//! What a region is given of the other one, carried to the process that serves it now.

use async_trait::async_trait;
use dcp_core::fence::{Fence, FencingToken};
use dcp_core::ids::{RegionId, ResourceId, SliceRef};
use dcp_core::operation::{OperationKey, SealReceipt};
use dcp_core::ports::{Handover, Sealable};
use dcp_core::{Error, Failure};

use super::super::network::Wire;
use super::super::region::Slot;
use super::{undone, unread};

/// A guard of another region. Sealing drains, and so gets more time.
#[derive(Debug)]
pub(in crate::simulation) struct CarriedGuard {
    pub(in crate::simulation) wire: Wire,
    pub(in crate::simulation) slot: Slot,
    pub(in crate::simulation) resource: ResourceId,
    pub(in crate::simulation) slice: SliceRef,
}

#[async_trait]
impl Sealable for CarriedGuard {
    fn resource(&self) -> &ResourceId {
        &self.resource
    }

    fn slice(&self) -> &SliceRef {
        &self.slice
    }

    async fn fence(&self) -> Result<Fence, Error> {
        let (slot, slice) = (self.slot.clone(), self.slice.clone());
        let fence = async move { slot.served()?.seal_of(&slice)?.fence().await };
        self.wire.carry(fence).await.unwrap_or_else(unread)
    }

    async fn seal(&self, token: &FencingToken) -> Result<SealReceipt, Failure> {
        let (slot, slice, token) = (self.slot.clone(), self.slice.clone(), token.clone());
        let seal = async move {
            let guard = slot.served().and_then(|served| served.seal_of(&slice)).map_err(Failure::NotApplied)?;
            guard.seal(&token).await
        };
        self.wire.within(self.wire.deadline * 10).carry(seal).await.unwrap_or_else(undone)
    }
}

/// The planned move at another region.
#[derive(Debug)]
pub(in crate::simulation) struct CarriedHandover {
    pub(in crate::simulation) wire: Wire,
    pub(in crate::simulation) slot: Slot,
}

#[async_trait]
impl Handover for CarriedHandover {
    async fn release(&self, slice: &SliceRef, to: &RegionId, key: &OperationKey) -> Result<SealReceipt, Failure> {
        let (slot, slice, to, key) = (self.slot.clone(), slice.clone(), to.clone(), key.clone());
        let release = async move {
            let served = slot.served().map_err(Failure::NotApplied)?;
            served.handover.release(&slice, &to, &key).await
        };
        self.wire.within(self.wire.deadline * 10).carry(release).await.unwrap_or_else(undone)
    }

    async fn released(&self, slice: &SliceRef) -> Result<Option<SealReceipt>, Error> {
        let (slot, slice) = (self.slot.clone(), slice.clone());
        let released = async move { slot.served()?.handover.released(&slice).await };
        self.wire.carry(released).await.unwrap_or_else(unread)
    }
}

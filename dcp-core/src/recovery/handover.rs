//! The owner's side of a planned move: seal, give up the epoch durably, answer the ends.

use std::sync::Arc;

use async_trait::async_trait;

use super::parts::RecoveryParts;
use crate::appends::{Released, Releases};
use crate::error::{Error, Failure};
use crate::ids::{RegionId, SliceRef};
use crate::operation::{OperationKey, SealReceipt};
use crate::ownership::WriteGrant;
use crate::ports::event_store::WriterRole;
use crate::ports::handover::Handover;

/// What a region offers to the planes of its successors.
#[derive(Debug)]
pub struct OwnerHandover {
    parts: Arc<RecoveryParts>,
}

impl OwnerHandover {
    /// Over the ports of the region that owns.
    #[must_use]
    pub fn new(parts: Arc<RecoveryParts>) -> Self {
        Self { parts }
    }

    fn releases(&self) -> &Releases {
        self.parts.appends.releases()
    }

    async fn owned(&self, slice: &SliceRef) -> Result<WriteGrant, Error> {
        let (parts, head) = (&self.parts, self.parts.head(slice).await?);
        if head.owner == parts.region {
            return Ok(head);
        }
        Err(Error::fenced(
            "not-owner",
            format!("{slice}: owned by {} under epoch {}, not by {}", head.owner, head.epoch, parts.region),
        ))
    }

    // Opening a writer fences the one that may still hold appends in doubt; it is never written to.
    async fn seal(&self, slice: &SliceRef, grant: &WriteGrant) -> Result<SealReceipt, Failure> {
        let parts = &self.parts;
        parts.appends.close(slice, "handed over").await;
        let logs = parts.treaty.logs_of(slice, &parts.region).map_err(Failure::NotApplied)?;
        drop(parts.store.open_writer(&logs, WriterRole::Owner(grant.clone())).await?);
        let token = parts.token(grant).map_err(Failure::NotApplied)?;
        parts.appends.guard(slice).map_err(Failure::NotApplied)?.seal(&token).await
    }
}

#[async_trait]
impl Handover for OwnerHandover {
    async fn release(&self, slice: &SliceRef, to: &RegionId, key: &OperationKey) -> Result<SealReceipt, Failure> {
        let terms = self.parts.treaty.scope(&slice.scope).map_err(Failure::NotApplied)?;
        if !terms.may_own(to) {
            return Err(Failure::NotApplied(Error::refused("unlawful-owner", format!("{slice}: {to} may not own it"))));
        }
        let _still = self.releases().hold_still(slice).await;
        // Read while nothing moves: a request that has hung since an earlier epoch gives up nothing.
        let grant = self.owned(slice).await.map_err(Failure::NotApplied)?;
        let before = self.releases().of(slice).await.map_err(Failure::NotApplied)?;
        if let Some(Released { epoch, receipt: Some(receipt), .. }) = &before
            && *epoch == grant.epoch
        {
            return Ok(receipt.clone());
        }
        let mut released = Released { epoch: grant.epoch, to: to.clone(), key: key.clone(), receipt: None };
        // Durable before the seal: after a crash in between, the slice stays closed.
        self.releases().save(slice, &released).await?;
        let receipt = self.seal(slice, &grant).await?;
        self.parts.leases.release(slice);
        released.receipt = Some(receipt.clone());
        self.releases().save(slice, &released).await?;
        tracing::info!(%slice, %to, epoch = %grant.epoch, "slice released");
        Ok(receipt)
    }

    async fn released(&self, slice: &SliceRef) -> Result<Option<SealReceipt>, Error> {
        let head = self.parts.head(slice).await?;
        let released = self.releases().of(slice).await?;
        let stands = |released: &Released| released.epoch == head.epoch && head.owner == self.parts.region;
        Ok(released.filter(stands).and_then(|released| released.receipt))
    }
}

//! The owner's side of a planned move: seal, give up the epoch durably, answer the ends.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Failure};
use crate::ids::{RegionId, SliceRef};
use crate::operation::{OperationKey, SealReceipt};
use crate::ownership::{Epoch, WriteGrant};
use crate::ports::event_store::WriterRole;
use crate::ports::handover::Handover;
use crate::ports::state_store::{Key, StateStore, Transaction};
use crate::recovery::RecoveryParts;

/// Slices that this region has let go of, durable in its own state store.
#[derive(Debug)]
pub struct Releases {
    state: Arc<dyn StateStore>,
    parts: OnceLock<Arc<RecoveryParts>>,
    // Held while a slice is let go of, and while one is being opened: or a slice could be opened on
    // a reading from before it was let go of.
    moving: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Released {
    epoch: Epoch,
    to: RegionId,
    key: OperationKey,
    receipt: Option<SealReceipt>,
}

fn key_of(slice: &SliceRef) -> Result<Key, Error> {
    Key::new(format!("release/{slice}"))
}

impl Releases {
    /// Over the region's state store. It answers `Retry` until the plane was built.
    #[must_use]
    pub fn new(state: Arc<dyn StateStore>) -> Self {
        Self { state, parts: OnceLock::new(), moving: tokio::sync::Mutex::new(()) }
    }

    pub(super) async fn hold_still(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.moving.lock().await
    }

    pub(super) fn bind(&self, parts: Arc<RecoveryParts>) {
        // A second plane over the same releases keeps the first one's ports, which are the same.
        let _ = self.parts.set(parts);
    }

    async fn load(&self, slice: &SliceRef) -> Result<Option<(Released, crate::ports::Entry)>, Error> {
        let Some(entry) = self.state.read(&key_of(slice)?).await? else { return Ok(None) };
        let released = serde_json::from_slice(&entry.value)
            .map_err(|cause| Error::corrupt("bad-release", format!("{slice}: {cause}")))?;
        Ok(Some((released, entry)))
    }

    /// Whether a slice was let go of under this epoch or a later one: then it must not open here.
    ///
    /// # Errors
    /// As the state store's read.
    pub async fn holds(&self, slice: &SliceRef, epoch: Epoch) -> Result<bool, Error> {
        Ok(self.load(slice).await?.is_some_and(|(released, _)| released.epoch >= epoch))
    }

    async fn save(&self, slice: &SliceRef, released: &Released) -> Result<(), Failure> {
        let read = self.load(slice).await.map_err(Failure::NotApplied)?;
        let transaction = || {
            let key = key_of(slice)?;
            let value = serde_json::to_vec(released)
                .map_err(|cause| Error::invalid("unwritable-release", format!("{slice}: {cause}")))?;
            Ok::<_, Error>(
                Transaction::new().unchanged(key.clone(), read.as_ref().map(|(_, entry)| entry)).put(key, value),
            )
        };
        self.state.commit(transaction().map_err(Failure::NotApplied)?).await?;
        Ok(())
    }

    fn parts(&self) -> Result<&Arc<RecoveryParts>, Error> {
        self.parts.get().ok_or_else(|| Error::retry("starting", "the plane is not assembled yet"))
    }

    async fn owned(&self, slice: &SliceRef, to: &RegionId) -> Result<WriteGrant, Error> {
        let parts = self.parts()?;
        if !parts.treaty.scope(&slice.scope)?.may_own(to) {
            return Err(Error::refused("unlawful-owner", format!("{slice}: {to} may not own it")));
        }
        match parts.witness.ownership(slice).await? {
            Some(head) if head.owner == parts.region => Ok(head),
            Some(head) => Err(Error::fenced(
                "not-owner",
                format!("{slice}: owned by {} under epoch {}, not by {}", head.owner, head.epoch, parts.region),
            )),
            None => Err(Error::refused("no-genesis", format!("{slice}: no ownership at the witness; run init"))),
        }
    }

    // Opening a writer fences the one that may still hold appends in doubt; it is never written to.
    async fn seal(&self, slice: &SliceRef, grant: &WriteGrant) -> Result<SealReceipt, Failure> {
        let parts = self.parts().map_err(Failure::NotApplied)?;
        parts.appends.close(slice, "handed over").await;
        let logs = parts.treaty.logs_of(slice, &parts.region).map_err(Failure::NotApplied)?;
        drop(parts.store.open_writer(&logs, WriterRole::Owner(grant.clone())).await?);
        let token = parts.token(grant).map_err(Failure::NotApplied)?;
        parts.appends.guard(slice).map_err(Failure::NotApplied)?.seal(&token).await
    }
}

#[async_trait]
impl Handover for Releases {
    async fn release(&self, slice: &SliceRef, to: &RegionId, key: &OperationKey) -> Result<SealReceipt, Failure> {
        let grant = self.owned(slice, to).await.map_err(Failure::NotApplied)?;
        let _still = self.hold_still().await;
        let before = self.load(slice).await.map_err(Failure::NotApplied)?.map(|(released, _)| released);
        if let Some(Released { epoch, receipt: Some(receipt), .. }) = &before
            && *epoch == grant.epoch
        {
            return Ok(receipt.clone());
        }
        let mut released = Released { epoch: grant.epoch, to: to.clone(), key: key.clone(), receipt: None };
        // Durable before the seal: after a crash in between, the slice stays closed.
        self.save(slice, &released).await?;
        let receipt = self.seal(slice, &grant).await?;
        self.parts().map_err(Failure::NotApplied)?.leases.release(slice);
        released.receipt = Some(receipt.clone());
        self.save(slice, &released).await?;
        tracing::info!(%slice, %to, epoch = %grant.epoch, "slice released");
        Ok(receipt)
    }

    async fn released(&self, slice: &SliceRef) -> Result<Option<SealReceipt>, Error> {
        let parts = self.parts()?;
        let head = parts.witness.ownership(slice).await?;
        let released = self.load(slice).await?.map(|(released, _)| released);
        Ok(match (head, released) {
            (Some(head), Some(released)) if released.epoch == head.epoch && head.owner == parts.region => {
                released.receipt
            }
            _ => None,
        })
    }
}

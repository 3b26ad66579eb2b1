//! What an owner does for a planned move of one of its slices.

use std::fmt;

use async_trait::async_trait;

use crate::error::{Error, Failure};
use crate::ids::{RegionId, SliceRef};
use crate::operation::{OperationKey, SealReceipt};

/// Called by the successor's plane on the owner's.
#[async_trait]
pub trait Handover: fmt::Debug + Send + Sync + 'static {
    /// Seals the slice under the owner's own mandate, durably gives up its present epoch, and
    /// answers where its logs end. From then on only a higher epoch opens the slice anywhere.
    ///
    /// Idempotent: asked again, it answers the same ends.
    ///
    /// # Errors
    /// `NotApplied(Fenced)` if this region does not own the slice; `NotApplied(Refused)` if `to`
    /// may not own it; `InDoubt` if the seal did not answer: ask again.
    async fn release(&self, slice: &SliceRef, to: &RegionId, key: &OperationKey) -> Result<SealReceipt, Failure>;

    /// The receipt of a slice that was released under its present epoch; none if it was not.
    ///
    /// # Errors
    /// `Retry` if it cannot be read now.
    async fn released(&self, slice: &SliceRef) -> Result<Option<SealReceipt>, Error>;
}

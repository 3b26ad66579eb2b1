//! Seals that come over the endpoint: a token of this region's own counts only under its lease.

use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::fence::{Fence, FencingToken};
use dcp_core::ids::{ResourceId, SliceRef};
use dcp_core::operation::SealReceipt;
use dcp_core::ports::{Appends, ResourceGuard, Sealable};
use dcp_core::recovery::RecoveryParts;
use dcp_core::{Error, Failure};

/// A guard as the endpoint offers it. A region that was isolated does not know yet that it was
/// succeeded, and its guards have seen nothing newer than its own tokens; but it knows that its
/// lease has run out, and a mandate without a lease seals nothing.
#[derive(Debug)]
pub(crate) struct CheckedSeal {
    pub(crate) guard: Arc<dyn ResourceGuard>,
    pub(crate) parts: Arc<RecoveryParts>,
}

/// Whether a presented token may still count here, as far as this region can know by itself: of a
/// slice that nobody is known to have taken since, and, if it is of this region's own, under its
/// lease.
///
/// # Errors
/// `Invalid` for a token of another slice; `Fenced` (`stale`, `lease-run-out`) if it may not.
pub(super) async fn check_mandate(parts: &RecoveryParts, slice: &SliceRef, token: &FencingToken) -> Result<(), Error> {
    let grant = token.grant();
    if grant.slice != *slice {
        return Err(Error::invalid("other-slice", format!("{slice}: the token is of {}", grant.slice)));
    }
    if let Ok(known) = parts.appends.ownership(slice).await
        && known.epoch > grant.epoch
    {
        let message = format!("{slice}: presented {}; now epoch {} of {}", token.rank(), known.epoch, known.owner);
        return Err(Error::fenced("stale", message));
    }
    if grant.owner == parts.region {
        parts.leases.check(slice, grant.epoch, parts.clock.now())?;
    }
    Ok(())
}

#[async_trait]
impl Sealable for CheckedSeal {
    fn resource(&self) -> &ResourceId {
        self.guard.resource()
    }

    fn slice(&self) -> &SliceRef {
        self.guard.slice()
    }

    async fn fence(&self) -> Result<Fence, Error> {
        self.guard.fence().await
    }

    async fn seal(&self, token: &FencingToken) -> Result<SealReceipt, Failure> {
        check_mandate(&self.parts, self.guard.slice(), token).await.map_err(Failure::NotApplied)?;
        self.guard.seal(token).await
    }
}

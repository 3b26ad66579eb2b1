//! Keeps what is open here in step with the ownership chains and the leases.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::decide::{SliceMove, SliceView, slice_move};
use crate::error::Error;
use crate::recovery::RecoveryParts;

/// One pass: per slice reads the head, closes what was lost, holds and opens what is owned.
pub(super) async fn reconcile(parts: &RecoveryParts) -> Result<(), Error> {
    for slice in parts.treaty.slices() {
        // A head that was read before the slice stood still may be older than what is open.
        let still = parts.appends.releases().hold_still(&slice).await;
        let head = parts.head(&slice).await?;
        parts.appends.learn(&head);
        let view = SliceView {
            open: parts.appends.open_grant(&slice).map(|grant| grant.epoch),
            held: parts.leases.adopted().get(&slice).copied(),
            lease_valid: parts.leases.check(&slice, head.epoch, parts.clock.now()).is_ok(),
            released: parts.appends.releases().holds(&slice, head.epoch).await?,
            head,
        };
        match slice_move(&parts.region, &view) {
            SliceMove::Keep => {}
            SliceMove::Hold(grant) => {
                if let Err(error) = parts.leases.adopt(&grant) {
                    tracing::warn!(%slice, %error, "lease not adopted");
                }
            }
            SliceMove::Open(grant) => {
                // Opening makes it stand still by itself, and asks again whether it was let go of.
                drop(still);
                if let Err(failure) = parts.appends.open(&grant).await {
                    tracing::warn!(%slice, %failure, "slice not opened");
                }
            }
            SliceMove::Close(reason) => {
                parts.appends.close(&slice, reason).await;
                parts.leases.release(&slice);
            }
        }
    }
    Ok(())
}

/// Passes until stopped, four per time to live. A witness that does not answer closes nothing by
/// itself: the lease does, by running out.
pub(super) async fn run(parts: Arc<RecoveryParts>, stop: CancellationToken) -> Result<(), Error> {
    let pause = parts.treaty.ttl() / 4;
    while !stop.is_cancelled() {
        if let Err(error) = reconcile(&parts).await {
            tracing::debug!(%error, "ownership not reconciled");
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = parts.clock.sleep(pause) => {}
        }
    }
    Ok(())
}

//! Keeps what is open here in step with the ownership chains and the leases.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::decide::{SliceMove, SliceView, slice_move};
use super::releases::Releases;
use crate::error::Error;
use crate::ownership::WriteGrant;
use crate::recovery::RecoveryParts;

/// One pass: reads the heads, closes what was lost, holds and opens what is owned.
pub(super) async fn reconcile(parts: &RecoveryParts, releases: &Releases) -> Result<Vec<WriteGrant>, Error> {
    let heads = parts.heads().await?;
    let held = parts.leases.adopted();
    for head in &heads {
        parts.appends.learn(head);
        let _still = releases.hold_still().await;
        let view = SliceView {
            head: head.clone(),
            open: parts.appends.open_grant(&head.slice).map(|grant| grant.epoch),
            held: held.get(&head.slice).copied(),
            lease_valid: parts.leases.check(&head.slice, head.epoch, parts.clock.now()).is_ok(),
            released: releases.holds(&head.slice, head.epoch).await?,
        };
        apply(parts, slice_move(&parts.region, &view), head).await;
    }
    Ok(heads)
}

async fn apply(parts: &RecoveryParts, next: SliceMove, head: &WriteGrant) {
    match next {
        SliceMove::Keep => {}
        SliceMove::Hold(grant) => {
            if let Err(error) = parts.leases.adopt(&grant) {
                tracing::warn!(slice = %grant.slice, %error, "lease not adopted");
            }
        }
        SliceMove::Open(grant) => {
            if let Err(failure) = parts.appends.open(&grant).await {
                tracing::warn!(slice = %grant.slice, %failure, "slice not opened");
            }
        }
        SliceMove::Close(reason) => {
            parts.appends.close(&head.slice, reason).await;
            parts.leases.release(&head.slice);
        }
    }
}

/// Passes until stopped, four per time to live. A witness that does not answer closes nothing by
/// itself: the lease does, by running out.
pub(super) async fn run(
    parts: Arc<RecoveryParts>,
    releases: Arc<Releases>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let pause = parts.treaty.ttl() / 4;
    while !stop.is_cancelled() {
        if let Err(error) = reconcile(&parts, &releases).await {
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

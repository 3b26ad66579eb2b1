//! Folds late streams again in a region that no plan does it for.
//!
//! A region that returns may find that an append of its own has landed after its model had seen the
//! successor's events of the stream. The survivor's `rejoin` folds again what is late at the survivor;
//! what is late here is folded here, whoever leads where.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::handle::{Order, PlaneStatus, RunStatus};
use crate::error::{Error, Failure};
use crate::ids::{RunId, StepId};
use crate::operation::OperationKey;
use crate::ports::replay_control::ReplayStatus;
use crate::position::Cut;
use crate::recovery::RecoveryParts;

/// What is late here, and where this region's own logs end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Late {
    dirty: u64,
    own: Cut,
}

/// Whether to fold again now: something is late, every projection has come as far as this region's
/// own logs, and neither has moved since the last look. Pure.
///
/// It is lawful at any moment, since what is late afterwards makes its stream dirty again; waiting
/// until nothing moves only saves doing it twice. A `rejoin` that is driven here does it once, at
/// its cut.
fn is_due(before: Option<&Late>, now: &Late, status: &ReplayStatus, rejoins: bool) -> bool {
    now.dirty > 0 && !rejoins && status.reached(&now.own) && before == Some(now)
}

fn rejoins(plane: &PlaneStatus) -> bool {
    plane.runs.values().any(|(order, status)| matches!((order, status), (Order::Rejoin { .. }, RunStatus::Running)))
}

/// Looks four times per time to live, until stopped.
pub(super) async fn run(
    parts: Arc<RecoveryParts>,
    plane: watch::Receiver<PlaneStatus>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let pause = parts.treaty.ttl() / 4;
    let mut before = None;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = parts.clock.sleep(pause) => {}
        }
        let rejoins = rejoins(&plane.borrow());
        // Another plane leads this region, and looks by itself.
        let leads = plane.borrow().term.is_some();
        match look(&parts, before.as_ref(), rejoins).await {
            Ok((late, due)) => {
                if due && leads {
                    refold(&parts, &late).await;
                }
                before = Some(late);
            }
            Err(error) => tracing::debug!(%error, "late streams not looked at"),
        }
    }
}

async fn look(parts: &RecoveryParts, before: Option<&Late>, rejoins: bool) -> Result<(Late, bool), Error> {
    let status = parts.replay.status().await?;
    let own = parts.store.ends(&parts.treaty.logs_by_origin(&parts.region)).await?;
    let late = Late { dirty: status.dirty.values().sum(), own };
    let due = is_due(before, &late, &status, rejoins);
    Ok((late, due))
}

async fn refold(parts: &RecoveryParts, late: &Late) {
    let folded = async {
        let operation = || {
            let key = OperationKey { run: RunId::new("late-streams")?, step: StepId::new("refold")? };
            parts.operation(key)
        };
        parts.replay.refold(&operation().map_err(Failure::NotApplied)?, &late.own).await
    };
    match folded.await {
        Ok(()) => tracing::info!(streams = late.dirty, "late streams were folded again"),
        Err(failure) => tracing::warn!(%failure, streams = late.dirty, "late streams are not folded again yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_streams_are_folded_again_once_nothing_moves() {
        let status = ReplayStatus::new();
        let late = |dirty| Late { dirty, own: Cut::new() };
        assert!(is_due(Some(&late(2)), &late(2), &status, false));
        assert!(!is_due(None, &late(2), &status, false), "seen for the first time");
        assert!(!is_due(Some(&late(1)), &late(2), &status, false), "still growing");
        assert!(!is_due(Some(&late(0)), &late(0), &status, false), "nothing is late");
        assert!(!is_due(Some(&late(2)), &late(2), &status, true), "a rejoin does it at its cut");
    }
}

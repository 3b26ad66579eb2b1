//! The plans as data. What a step does is named here and bound by the catalog.

use std::time::Duration;

use serde_json::json;

use crate::error::Error;
use crate::ids::{RegionId, SliceRef, StepId};
use crate::runbook::{Plan, Step, TAKEOVER};
use crate::treaty::Treaty;

/// How long a person, a network or a catch-up may take before a step is called failed.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

fn step(id: &str, phase: u32, action: &str, arguments: serde_json::Value, deadline: Duration) -> Result<Step, Error> {
    Ok(Step::new(StepId::new(id)?, phase, action)
        .with_arguments(arguments)
        .with_deadline(deadline)
        .with_poll(Duration::from_millis(25)))
}

/// Takes over from a region that has gone dark. Legal from every state.
///
/// # Errors
/// `Invalid` if a name is too long for a step.
pub fn blackout(treaty: &Treaty, lost: &RegionId) -> Result<Plan, Error> {
    let region = json!({ "region": lost });
    // A lease that was just renewed runs out within its challenge wait; longer means that it lives.
    let lease = treaty.lease().challenge_wait() * 3;
    let minute = Duration::from_secs(60);
    Plan::new(
        TAKEOVER,
        lost.as_str(),
        vec![
            // A takeover that is refused must not leave the link paused. It may be refused after its
            // claim was sent, when the lease was renewed in between: until something is sealed, going
            // back is lawful, and the plane opens by itself what it was found to own.
            step("pause-link", 1, "pause-link", region.clone(), minute)?.with_compensation("reopen-link"),
            step("declare-exposure", 1, "declare-exposure", region.clone(), minute)?,
            step("take-ownership", 2, "take-run-out", region, lease.max(Duration::from_secs(10)))?,
            step("seal-guards", 2, "seal-own", json!({}), minute)?.irreversible(),
            step("open-logs", 4, "open-logs", json!({}), minute)?.irreversible(),
            step("confirm-health", 4, "confirm-health", json!({}), PATIENCE)?,
        ],
    )
}

/// Brings a region back that was dark: sealed, its tail delivered, caught up, compared.
///
/// # Errors
/// `Invalid` if a name is too long for a step.
pub fn rejoin(returned: &RegionId) -> Result<Plan, Error> {
    let region = json!({ "region": returned });
    Plan::new(
        "rejoin",
        returned.as_str(),
        vec![
            step("seal-returned", 1, "seal-returned", region.clone(), PATIENCE)?.irreversible(),
            step("classify", 1, "classify", region.clone(), PATIENCE)?,
            step("deliver-tail", 3, "deliver-tail", region.clone(), PATIENCE)?.irreversible(),
            step("refold", 3, "refold", json!({}), PATIENCE)?.irreversible(),
            step("catch-up", 4, "catch-up", region.clone(), PATIENCE)?,
            step("parity", 5, "parity", region.clone(), PATIENCE)?,
            step("reopen-link", 7, "reopen-link", region, PATIENCE)?.irreversible(),
        ],
    )
}

/// Moves one slice from its living owner to this region, with nothing unreplicated.
///
/// # Errors
/// `Invalid` if a name is too long for a step.
pub fn switchover(slice: &SliceRef, from: &RegionId) -> Result<Plan, Error> {
    let arguments = json!({ "slice": slice, "region": from });
    Plan::new(
        "switchover",
        slice.to_string(),
        vec![
            step("release", 1, "release", arguments.clone(), PATIENCE)?.irreversible(),
            step("await-ends", 2, "await-ends", json!({}), PATIENCE)?,
            step("take-ownership", 3, "take-released", arguments, PATIENCE)?.irreversible(),
            step("seal-guards", 3, "seal-own", json!({}), PATIENCE)?.irreversible(),
            step("open-logs", 4, "open-logs", json!({}), PATIENCE)?.irreversible(),
            step("confirm-health", 4, "confirm-health", json!({}), PATIENCE)?,
        ],
    )
}

//! The steps of the recovery plans that a drill goes through, by plan.

use dcp_core::Error;
use dcp_core::ids::{SliceId, SliceRef};
use dcp_core::recovery::{blackout, rejoin, switchover};
use dcp_core::runbook::Plan;
use dcp_core::treaty::Treaty;

use crate::orders::Home;

/// The steps of a kind of plan (`blackout`, `rejoin`, `switchover`), in their order.
///
/// # Errors
/// `Invalid` for another kind.
pub fn steps_of(kind: &str, treaty: &Treaty) -> Result<Vec<String>, Error> {
    let (west, central) = (Home::West, Home::Central);
    let plan: Plan = match kind {
        "blackout" => blackout(treaty, &west.region_id())?,
        "rejoin" => rejoin(&west.region_id())?,
        "switchover" => switchover(&SliceRef::new(west.scope_id(), SliceId::new("s10")?), &central.region_id())?,
        other => return Err(Error::invalid("unknown-plan", format!("no plan {other}"))),
    };
    Ok(plan.steps().iter().map(|step| step.id.to_string()).collect())
}

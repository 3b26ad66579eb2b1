//! From an order to a plan and a run's name.

use super::handle::Order;
use crate::digest::Digest;
use crate::error::Error;
use crate::ids::RunId;
use crate::recovery::{blackout, rejoin, switchover};
use crate::runbook::{Plan, TAKEOVER};
use crate::treaty::Treaty;

pub(super) fn plan_of(treaty: &Treaty, order: &Order) -> Result<Plan, Error> {
    match order {
        Order::Blackout { lost } => blackout(treaty, lost),
        Order::Rejoin { returned } => rejoin(returned),
        Order::Switchover { slice, from } => {
            treaty.scope(&slice.scope)?.partitions_of(&slice.slice)?;
            switchover(slice, from)
        }
    }
}

/// A name that no other run of this region has: from bytes drawn for this plane, and how many runs
/// its journal holds. A restarted process that draws the same bytes again goes on counting.
pub(super) fn run_id(plan: &Plan, drawn: &[u8; 32], runs_before: usize) -> Result<RunId, Error> {
    let name = Digest::of_parts(&[drawn, &(runs_before as u64).to_be_bytes()]).to_string();
    RunId::new(format!("{}-{}", plan.kind(), &name[..12]))
}

/// The order that a plan of this plane came from.
pub(super) fn order_of(plan: &Plan) -> Option<Order> {
    let first = &plan.steps().first()?.arguments;
    let region = || serde_json::from_value(first.get("region")?.clone()).ok();
    match plan.kind() {
        TAKEOVER => Some(Order::Blackout { lost: region()? }),
        "rejoin" => Some(Order::Rejoin { returned: region()? }),
        "switchover" => Some(Order::Switchover {
            slice: serde_json::from_value(first.get("slice")?.clone()).ok()?,
            from: region()?,
        }),
        _ => None,
    }
}

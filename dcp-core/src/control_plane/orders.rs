//! From an order to a plan and a run's name.

use super::handle::Order;
use crate::clock::Entropy;
use crate::digest::Digest;
use crate::error::Error;
use crate::fence::Term;
use crate::ids::RunId;
use crate::recovery::{blackout, rejoin, switchover};
use crate::runbook::Plan;
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

/// A name that no other run of this region has: drawn, and bound to the term, since a restarted
/// process draws the same bytes again from the same seed.
pub(super) fn run_id(plan: &Plan, entropy: &dyn Entropy, term: &Term) -> Result<RunId, Error> {
    let drawn = Digest::of_parts(&[&entropy.draw(), &term.revision.to_be_bytes()]).to_string();
    RunId::new(format!("{}-{}", plan.kind(), &drawn[..12]))
}

/// The order that a plan of this plane came from.
pub(super) fn order_of(plan: &Plan) -> Option<Order> {
    let first = &plan.steps().first()?.arguments;
    let region = || serde_json::from_value(first.get("region")?.clone()).ok();
    match plan.kind() {
        "blackout" => Some(Order::Blackout { lost: region()? }),
        "rejoin" => Some(Order::Rejoin { returned: region()? }),
        "switchover" => Some(Order::Switchover {
            slice: serde_json::from_value(first.get("slice")?.clone()).ok()?,
            from: region()?,
        }),
        _ => None,
    }
}

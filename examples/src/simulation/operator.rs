//! Orders that must be refused: a takeover of a region that lives behind a dark link.

use std::sync::Arc;
use std::time::Duration;

use dcp_core::Error;
use dcp_core::control_plane::{Order, RunStatus};
use dcp_core::testing::faults::FaultPlan;

use super::observations::Finding;
use super::plan::StoryPlan;
use super::story::{LOST, SURVIVOR};
use super::world::World;
use crate::orders::Orders;

/// What became of a pair of regions whose link alone was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct OperatorsReport {
    /// Runs in either plane before anything was ordered.
    pub runs_by_themselves: usize,
    /// What became of the takeover that an operator ordered.
    pub ordered: Option<String>,
    /// Slices that changed their owner.
    pub moved: usize,
    /// What was wrong besides.
    pub findings: Vec<Finding>,
}

pub(super) async fn story(seed: u64, orders: Arc<Orders>) -> Result<OperatorsReport, Error> {
    let mut plan = StoryPlan::pause_in_append();
    (plan.name, plan.dark, plan.held_at) = ("link-dark", FaultPlan::default(), None);
    let lines = plan.lines;
    let world = World::build(plan, seed, None, orders).await?;
    let stop = |finding: Finding| Error::stopped("story-stuck", finding.what);
    world.begin().await?;
    world.let_produce(lines / 2);
    world.produced(lines / 2).await.map_err(stop)?;
    world.around.network.part(LOST.region(), SURVIVOR.region());
    world.let_produce(lines);
    world.produced(lines).await.map_err(stop)?;
    world.sleep(Duration::from_secs(20)).await;
    let served = world.region(SURVIVOR).served()?;
    let runs_by_themselves = [LOST, SURVIVOR]
        .iter()
        .map(|home| Ok(world.region(*home).served()?.handle.status().borrow().runs.len()))
        .sum::<Result<usize, Error>>()?;
    let ordered = match world.ordered_to_its_end(SURVIVOR, Order::Blackout { lost: LOST.region_id() }).await? {
        RunStatus::Cancelled { reason } => Some(reason),
        _ => None,
    };
    let mut moved = 0;
    for slice in world.around.treaty.slices() {
        moved += world.witness.chain(&slice).await?.len().saturating_sub(1);
    }
    drop(served);
    world.around.network.mend(LOST.region(), SURVIVOR.region());
    let settled = world.until("mirrors that are complete again", || world.is_settled()).await;
    if let Err(finding) = settled {
        world.around.observer.check(finding.check, Some(finding.what));
    }
    let (findings, _) = world.around.observer.findings();
    Ok(OperatorsReport { runs_by_themselves, ordered, moved, findings })
}

impl World {
    pub(super) async fn ordered_to_its_end(&self, home: crate::orders::Home, order: Order) -> Result<RunStatus, Error> {
        loop {
            if let Some(status) = self.ordered(home, order.clone()).await? {
                return Ok(status);
            }
        }
    }
}

//! Stories of two planes: what one does while the other is asked, killed or refused.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dcp_core::Error;
use dcp_core::clock::SeededEntropy;
use dcp_core::control_plane::{Order, RunStatus};
use dcp_core::fence::Term;
use dcp_core::ids::{HolderId, RunId, SliceRef, StepId};
use dcp_core::ownership::{Epoch, Evidence, WriteGrant};
use dcp_core::ports::failpoints::points;
use dcp_core::ports::{AppendRequest, LinkState, MirrorLink as _, NoFailpoints, ReplayControl as _};
use dcp_core::runbook::{Driver, DriverParts, Journal, Plan, Step};
use dcp_core::testing::faults::FaultPlan;

use super::failpoints::CrashAt;
use super::journals::closed_done;
use super::observations::Finding;
use super::plan::StoryPlan;
use super::story::{LOST, SURVIVOR};
use super::world::{PATIENCE, World, home_logs, stuck};
use crate::orders::{Home, OrderLine, Orders, new_event, partition_of};

// A number beyond those of the data.
const UNREPEATED: u64 = 10_000_000;

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum PlaneStory {
    /// A takeover is about to open what it took when the returned region asks for one slice of it.
    LetGoWhileOpening,
    /// A region lets go of a slice, and its successor dies before it claims.
    SuccessorLost,
    /// A takeover is refused, and the plane dies before it has undone what it had prepared.
    RefusedAndKilled,
    /// A run is open whose step names an action that the program does not know any more.
    UnknownAction,
    /// An operator orders a takeover again that has ended, of a plane that was started anew since.
    OrderedAgain,
    /// A region wakes with an append that lands after its model has seen the successor's events.
    LateAtHome,
}

pub(super) async fn tell(story: PlaneStory, seed: u64, orders: Arc<Orders>) -> Result<Vec<Finding>, Error> {
    let mut plan = StoryPlan::pause_in_append();
    (plan.name, plan.dark, plan.held_at) = ("planes", FaultPlan::default(), None);
    let lines = plan.lines;
    let mut world = World::build(plan, seed, None, orders).await?;
    world.begin().await?;
    let told = async {
        world.let_produce(lines / 4);
        world.produced(lines / 4).await?;
        match story {
            PlaneStory::LetGoWhileOpening => world.let_go_while_opening().await?,
            PlaneStory::SuccessorLost => world.successor_lost().await?,
            PlaneStory::RefusedAndKilled => world.refused_and_killed().await?,
            PlaneStory::UnknownAction => world.unknown_action().await?,
            PlaneStory::OrderedAgain => world.ordered_again().await?,
            PlaneStory::LateAtHome => world.late_at_home(lines / 4).await?,
        }
        world.let_produce(lines);
        world.produced(lines).await?;
        world.until("mirrors and models that are complete", || world.is_settled()).await
    };
    if let Err(finding) = told.await {
        world.around.observer.check(finding.check, Some(finding.what));
    }
    Ok(world.around.observer.findings().0)
}

fn failed(what: &str) -> impl Fn(Error) -> Finding {
    move |error| stuck(what, &error.to_string())
}

fn wrong(what: String) -> Result<(), Finding> {
    Err(Finding { check: "planes", what })
}

impl World {
    fn holds_at(&self, home: Home, step: &str) {
        self.region(home).trap.hold(points::STEP_INTENT, BTreeSet::from([step.to_owned()]));
    }

    async fn held(&self, home: Home) -> Result<(), Finding> {
        let trap = &self.region(home).trap;
        self.until("a step held", || async { Ok(trap.held().is_some()) }).await
    }

    async fn head(&self, slice: &SliceRef) -> Result<WriteGrant, Finding> {
        let head = self.witness.ownership(slice).await.map_err(failed("the head"))?;
        head.ok_or_else(|| stuck("the head", "no genesis"))
    }

    fn opens(&self, home: Home, slice: &SliceRef) -> Result<Option<Epoch>, Error> {
        Ok(self.region(home).served()?.parts.appends.open_grant(slice).map(|grant| grant.epoch))
    }

    fn kill(&mut self, home: Home) {
        self.region(home).kill();
        self.down = Some(home);
    }

    async fn start_again(&mut self, home: Home) -> Result<(), Finding> {
        self.region(home).restart().await.map_err(failed("the start"))?;
        self.down = None;
        Ok(())
    }

    async fn order(&self, home: Home, order: &Order) -> Result<(), Finding> {
        let ordered = || async {
            let served = self.region(home).served()?;
            tokio::select! {
                biased;
                run = served.handle.order(order.clone()) => Ok(run.is_ok()),
                () = self.sleep(Duration::from_secs(1)) => Ok(false),
            }
        };
        self.until("an order taken", ordered).await
    }

    async fn taken_from_lost(&self) -> Result<(), Finding> {
        let slices = self.slices(LOST);
        let taken = || async {
            let mut taken = true;
            for slice in &slices {
                let head = self.witness.ownership(slice).await?;
                taken &= head.is_some_and(|head| head.owner == SURVIVOR.region_id());
            }
            Ok(taken)
        };
        self.until("every slice taken", taken).await
    }

    async fn let_go_while_opening(&mut self) -> Result<(), Finding> {
        let slice = self.slices(LOST)[0].clone();
        self.holds_at(SURVIVOR, "open-logs");
        self.kill(LOST);
        self.held(SURVIVOR).await?;
        self.taken_from_lost().await?;
        self.until("the slice open", || async { Ok(self.opens(SURVIVOR, &slice)?.is_some()) }).await?;
        // The returned region asks for the slice, and is held before it claims.
        self.holds_at(LOST, "take-ownership");
        self.start_again(LOST).await?;
        self.order(LOST, &Order::Switchover { slice: slice.clone(), from: SURVIVOR.region_id() }).await?;
        self.held(LOST).await?;
        self.region(SURVIVOR).trap.release();
        self.holds_at(SURVIVOR, "confirm-health");
        self.held(SURVIVOR).await?;
        if let Some(epoch) = self.opens(SURVIVOR, &slice).map_err(failed("the slice"))? {
            return wrong(format!("{slice}: let go of, and open again under epoch {epoch}"));
        }
        self.region(LOST).trap.release();
        self.region(SURVIVOR).trap.release();
        self.until("the slice at home", || async { Ok(self.opens(LOST, &slice)?.is_some()) }).await?;
        let done = || closed_done(&self.around.observer, SURVIVOR.region(), "blackout", LOST.region()) > 0;
        self.until("the takeover", || async { Ok(done()) }).await?;
        self.carry_out(SURVIVOR, Order::Rejoin { returned: LOST.region_id() }).await
    }

    async fn successor_lost(&mut self) -> Result<(), Finding> {
        let slice = self.slices(SURVIVOR)[0].clone();
        self.holds_at(LOST, "take-ownership");
        let order = Order::Switchover { slice: slice.clone(), from: SURVIVOR.region_id() };
        self.order(LOST, &order).await?;
        self.held(LOST).await?;
        let let_go = self.head(&slice).await?.epoch;
        self.kill(LOST);
        let open_again = || async { Ok(self.opens(SURVIVOR, &slice)?.is_some_and(|epoch| epoch > let_go)) };
        self.until("the slice taken back", open_again).await?;
        let head = self.head(&slice).await?;
        if head.owner != SURVIVOR.region_id() || !matches!(head.evidence, Evidence::Sealed { .. }) {
            return wrong(format!("{slice}: taken back as {head:?}"));
        }
        // What the successor holds a receipt for is not what the slice is owned under now.
        self.region(LOST).trap.release();
        self.start_again(LOST).await?;
        let refused = || async {
            let plane = self.region(LOST).served()?.handle.status().borrow().clone();
            let stale = |(_, status): &(Order, RunStatus)| matches!(status, RunStatus::Failed { reason } if reason.starts_with("take-ownership"));
            Ok(plane.runs.values().any(stale))
        };
        self.until("the old receipt refused", refused).await?;
        self.carry_out(SURVIVOR, Order::Rejoin { returned: LOST.region_id() }).await?;
        self.carry_out(LOST, order).await
    }

    async fn refused_and_killed(&mut self) -> Result<(), Finding> {
        self.around.network.part(LOST.region(), SURVIVOR.region());
        let crash = CrashAt { step: "take-ownership".to_owned(), point: points::STEP_OUTCOME, after: 0 };
        self.region(SURVIVOR).trap.crash_at(crash);
        let order = Order::Blackout { lost: LOST.region_id() };
        self.order(SURVIVOR, &order).await?;
        self.until("the crash", || async { Ok(self.region(SURVIVOR).trap.crashed() > 0) }).await?;
        let undone = || async {
            let served = self.region(SURVIVOR).served()?;
            let cancelled = |(_, status): &(Order, RunStatus)| matches!(status, RunStatus::Cancelled { .. });
            let cancelled = served.handle.status().borrow().runs.values().any(cancelled);
            Ok(cancelled && served.links[&LOST.region_id()].status().await?.state == LinkState::Active)
        };
        self.until("the refused takeover undone", undone).await?;
        self.around.network.mend(LOST.region(), SURVIVOR.region());
        // The next takeover is one of its own. A plane takes over by itself only from whom it saw renew.
        self.sleep(Duration::from_secs(3)).await;
        self.kill(LOST);
        self.taken_from_lost().await?;
        let done = || closed_done(&self.around.observer, SURVIVOR.region(), "blackout", LOST.region()) == 1;
        self.until("a takeover of its own", || async { Ok(done()) }).await?;
        self.start_again(LOST).await?;
        self.carry_out(SURVIVOR, Order::Rejoin { returned: LOST.region_id() }).await
    }

    async fn ordered_again(&mut self) -> Result<(), Finding> {
        self.sleep(Duration::from_secs(3)).await;
        self.kill(LOST);
        self.taken_from_lost().await?;
        let done = || closed_done(&self.around.observer, SURVIVOR.region(), "blackout", LOST.region());
        self.until("the takeover", || async { Ok(done() == 1) }).await?;
        self.region(SURVIVOR).kill();
        self.region(SURVIVOR).restart().await.map_err(failed("the start"))?;
        let order = Order::Blackout { lost: LOST.region_id() };
        for _ in 0..2 {
            let ended = self.ordered_to_its_end(SURVIVOR, order.clone()).await.map_err(failed("an order"))?;
            if ended != RunStatus::Done || done() != 1 {
                return wrong(format!("what was done and is ordered again is {ended:?}, in {} runs", done()));
            }
        }
        self.start_again(LOST).await?;
        self.carry_out(SURVIVOR, Order::Rejoin { returned: LOST.region_id() }).await
    }

    async fn unknown_action(&mut self) -> Result<(), Finding> {
        self.kill(SURVIVOR);
        self.region(SURVIVOR).durable.reopen();
        self.leave_open().await.map_err(failed("the run of an older program"))?;
        self.start_again(SURVIVOR).await?;
        let waits = || async {
            let plane = self.region(SURVIVOR).served()?.handle.status().borrow().clone();
            let unknown = |(_, status): &(Order, RunStatus)| matches!(status, RunStatus::Failed { reason } if reason.contains("renamed"));
            Ok(plane.term.is_some() && plane.runs.values().any(unknown))
        };
        self.until("a run that waits for an operator", waits).await?;
        // Data path and plane go on: it sees the other region renew, loses it, and takes over.
        self.sleep(Duration::from_secs(3)).await;
        let open = || async { Ok(self.opens(SURVIVOR, &self.slices(SURVIVOR)[0])?.is_some()) };
        self.until("its own slices open", open).await?;
        self.kill(LOST);
        self.taken_from_lost().await?;
        self.start_again(LOST).await?;
        self.carry_out(SURVIVOR, Order::Rejoin { returned: LOST.region_id() }).await
    }

    // Opens a run in the journal of a region that does not run.
    async fn leave_open(&self) -> Result<(), Error> {
        let region = self.region(SURVIVOR);
        let clock = Arc::clone(&self.around.clock);
        let journal = Journal::open(Arc::new(region.durable.state.clone()), Arc::clone(&clock)).await?;
        let before = journal.driver().await?.map_or(0, |term| term.revision);
        let term = Term { issuer: region.home.region_id(), holder: HolderId::new("older")?, revision: before + 1 };
        let parts = DriverParts {
            clock,
            entropy: Arc::new(SeededEntropy::new(1, "older")),
            failpoints: Arc::new(NoFailpoints),
            signer: Arc::clone(&region.signer),
        };
        let step = Step::new(StepId::new("renamed")?, 1, "renamed")
            .with_arguments(serde_json::json!({ "region": LOST.region_id() }));
        let plan = Plan::new("rejoin", LOST.region(), vec![step])?;
        let refused = |failure: dcp_core::Failure| Error::stopped("older-program", failure.to_string());
        let driver = Driver::take(Arc::new(journal), term, parts).await.map_err(refused)?;
        driver.open_run(&RunId::new("rejoin-older")?, &plan).await.map_err(refused)
    }

    // An append that nobody sends again, of a line that is not in the data, to a stream that is
    // written between these records.
    fn unrepeated(&self, after: u64, up_to: u64) -> Result<AppendRequest, Error> {
        let scope = LOST.scope_id();
        let mut lines = self.orders.iter().filter(|line| (after + 1..=up_to).contains(&line.number()));
        let line = lines.find(|line| line.home().ok() == Some(LOST));
        let line = line.ok_or_else(|| Error::invalid("no-line", "no line of the lost region's home"))?;
        let partition = partition_of(line.stock_code());
        let slice = self.around.treaty.scope(&scope)?.slice_of(partition)?;
        let grant = self.genesis.iter().find(|grant| grant.slice.scope == scope && &grant.slice.slice == slice);
        let grant = grant.ok_or_else(|| Error::invalid("no-grant", slice.to_string()))?;
        let event = new_event(&OrderLine::new(UNREPEATED, line.fields()))?;
        Ok(AppendRequest::new(scope, partition, grant.epoch, vec![event]).under(grant.envelope().clone()))
    }

    async fn late_at_home(&mut self, produced: u64) -> Result<(), Finding> {
        let more = produced + self.plan.lines / 4;
        self.region(LOST).trap.hold(points::APPEND_CHECKED, home_logs(&self.around.treaty, LOST));
        let request = self.unrepeated(produced, more).map_err(failed("the append"))?;
        let endpoint = self.endpoint("client", LOST, PATIENCE);
        self.outside.spawn(async move { drop(endpoint.append(request).await) });
        self.held(LOST).await?;
        self.region(LOST).served().map_err(failed("the pause"))?.process.pause();
        self.taken_from_lost().await?;
        self.let_produce(more);
        self.produced(more).await?;
        self.region(LOST).served().map_err(failed("the waking"))?.process.resume();
        // Its model sees the successor's events first.
        let survivor = self.around.treaty.logs_by_origin(&SURVIVOR.region_id());
        let caught_up = || async {
            let ends = self.region(SURVIVOR).store.ends(&survivor).await?;
            Ok(self.region(LOST).served()?.projector.status().await?.reached(&ends))
        };
        self.until("the successor's events at home", caught_up).await?;
        self.region(LOST).trap.release();
        let late = || async {
            let deliveries = self.region(LOST).served()?.projector.status().await?.deliveries;
            Ok(deliveries.values().any(|counts| counts.late > 0))
        };
        self.until("a late event at home", late).await?;
        let clean = || async {
            let dirty = self.region(LOST).served()?.projector.status().await?.dirty;
            Ok(dirty.values().all(|streams| *streams == 0))
        };
        self.until("the late streams folded again", clean).await?;
        self.carry_out(SURVIVOR, Order::Rejoin { returned: LOST.region_id() }).await
    }
}

//! The story: together, dark, taken over, awake, rejoined, home.

use std::sync::Arc;
use std::time::Duration;

use dcp_core::Error;
use dcp_core::control_plane::{Order, RunStatus};
use dcp_core::ids::RunId;
use dcp_core::ownership::Epoch;
use dcp_core::ports::EventSource as _;

use super::journals::closed_done;
use super::network::Lost;
use super::observations::Finding;
use super::plan::HeldUntil;
use super::world::{PATIENCE, World, home_logs, stuck};
use crate::orders::Home;
use dcp_core::testing::faults::FaultKind;

/// The region that goes dark.
pub(super) const LOST: Home = Home::West;
/// The region that takes over.
pub(super) const SURVIVOR: Home = Home::Central;

/// What was seen of the faults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Happened {
    /// Acknowledged lines of the lost region that were not mirrored at the fault.
    pub tail: u64,
    /// An append was held over the fault.
    pub held: bool,
    /// Writes under a stale mandate: attempted, and refused or in doubt.
    pub stale: (u64, u64),
    /// Copies in the survivor's logs.
    pub copies: u64,
    /// Late events in the survivor.
    pub late: u64,
    /// From the fault to the takeover's last step, in virtual milliseconds.
    pub takeover_ms: u64,
    /// How often a process ended at a planned boundary.
    pub crashes: u32,
}

/// Where the story turns, in records.
#[derive(Debug, Clone, Copy)]
struct Turns {
    tail: u64,
    dark: u64,
    back: u64,
    rejoined: u64,
}

impl Turns {
    fn of(lines: u64) -> Self {
        Self { tail: lines * 3 / 10, dark: lines * 4 / 10, back: lines * 7 / 10, rejoined: lines * 3 / 4 }
    }
}

impl World {
    /// Tells the story to its end, or to what does not happen.
    pub(super) async fn tell(&mut self) -> Result<Happened, Finding> {
        let turns = Turns::of(self.plan.lines);
        let mut happened = Happened::default();
        self.begin().await.map_err(|error| stuck("the beginning", &error.to_string()))?;
        if let Some((home, crash)) = self.plan.crash.clone() {
            self.region(home).trap.crash_at(crash);
        }
        self.until("both regions open", || self.all_open()).await?;
        if !self.plan.dark.is_empty() {
            self.together(turns, &mut happened).await?;
            let at = self.around.clock.now();
            self.hurt(&self.plan.dark.clone()).await?;
            tokio::select! {
                biased;
                taken = self.taken_over() => taken?,
                () = self.pace(turns) => {}
                held = self.hold_last() => match held {
                    Ok(never) => match never {},
                    Err(error) => return Err(stuck("the last append held", &error.to_string())),
                },
            }
            happened.held |= self.region(LOST).trap.held().is_some();
            let took = self.around.clock.now().since(at);
            happened.takeover_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            self.let_produce(turns.back);
            self.produced(turns.back).await?;
            self.sample().await;
            self.wake(turns, &mut happened).await?;
            self.rejoin(turns, &mut happened).await?;
            if self.plan.homecoming {
                self.homecoming(turns).await?;
            }
        }
        self.let_produce(u64::MAX);
        self.produced(self.plan.lines).await?;
        self.until("mirrors and models that are complete", || self.is_settled()).await?;
        self.sample().await;
        happened.crashes = self.regions.values().map(|region| region.trap.crashed()).sum();
        Ok(happened)
    }

    pub(super) async fn begin(&self) -> Result<(), Error> {
        for region in self.regions.values() {
            region.start().await?;
        }
        for producer in self.producers.values() {
            producer.start(&self.outside)?;
        }
        Ok(())
    }

    async fn all_open(&self) -> Result<bool, Error> {
        for home in Home::ALL {
            let served = self.region(home).served()?;
            if self.slices(home).iter().any(|slice| served.parts.appends.open_grant(slice).is_none()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn together(&self, turns: Turns, happened: &mut Happened) -> Result<(), Finding> {
        self.let_produce(turns.tail / 2);
        self.produced(turns.tail / 2).await?;
        if self.plan.answers_lost {
            let producer = format!("producer.{}", LOST.region());
            self.around.network.cut(LOST.region(), &producer);
            self.let_produce(turns.tail);
            self.sleep(Duration::from_secs(1)).await;
            self.around.network.mend(LOST.region(), &producer);
        }
        self.let_produce(turns.tail);
        self.produced(turns.tail).await?;
        self.throttle(SURVIVOR, Some(0)).map_err(|error| stuck("the throttle", &error.to_string()))?;
        self.sleep(Duration::from_millis(200)).await;
        self.let_produce(turns.dark);
        self.produced(turns.dark).await?;
        let hold = self.plan.unsynced.then(|| self.region(LOST).durable.store.hold_sync());
        // A region that was cut off is sent what was not answered again, and may answer it while its
        // lease lasts: there an append is held at the lease's end.
        let at_once = hold.is_none() && !self.plan.is_cut_off();
        if let Some(point) = self.plan.held_at.filter(|_| at_once) {
            let trap = &self.region(LOST).trap;
            trap.hold(point, home_logs(&self.around.treaty, LOST));
            self.let_produce(self.first_lines(turns));
            self.until("an append held", || async { Ok(trap.held().is_some()) }).await?;
            happened.held = true;
        }
        if let Some(hold) = hold {
            self.let_produce(self.first_lines(turns));
            hold.write_waits().await;
            happened.held = true;
            // The region ends before the hold is dropped, and with it what was staged.
            self.region(LOST).kill();
        }
        happened.tail = self.unmirrored().await.map_err(|error| stuck("the tail", &error.to_string()))?;
        Ok(())
    }

    // Up to where lines are let go before the fault, one of which is held.
    fn first_lines(&self, turns: Turns) -> u64 {
        turns.dark + self.plan.lines / 50
    }

    // From the fault on the producers have lines to send. A region that was cut off goes on
    // acknowledging until its lease has run out, and must not run out of lines before that. Never
    // ends: the takeover does.
    async fn pace(&self, turns: Turns) {
        let mut level = if self.plan.is_cut_off() { self.first_lines(turns) } else { turns.back };
        loop {
            self.let_produce(level);
            self.sleep(Duration::from_millis(50)).await;
            level = (level + self.plan.lines / 250 + 1).min(turns.back);
        }
    }

    // One append is held when so little is left of its lease that it cannot be sent again within
    // it. Never ends well: the takeover does.
    async fn hold_last(&self) -> Result<std::convert::Infallible, Error> {
        let at_end = self.plan.is_cut_off();
        let point = match self.plan.held_at {
            Some(point) if at_end => point,
            _ => return std::future::pending().await,
        };
        let parts = Arc::clone(&self.region(LOST).served()?.parts);
        let enough = self.around.treaty.lease().request_deadline().mul_f64(0.8);
        let slices = self.slices(LOST);
        loop {
            let now = parts.clock.now();
            let left = |slice| Some(parts.leases.check(slice, Epoch::GENESIS, now).ok()?.since(now));
            if slices.iter().filter_map(left).max().is_none_or(|left| left < enough) {
                self.region(LOST).trap.hold(point, home_logs(&self.around.treaty, LOST));
                return std::future::pending().await;
            }
            self.sleep(Duration::from_millis(5)).await;
        }
    }

    fn throttle(&self, home: Home, rate: Option<u64>) -> Result<(), Error> {
        for link in self.region(home).served()?.links.values() {
            link.set_throttle(rate);
        }
        Ok(())
    }

    // Records of the lost region's logs that the survivor does not hold; what it holds is noted.
    async fn unmirrored(&self) -> Result<u64, Error> {
        let logs = self.around.treaty.logs_by_origin(&LOST.region_id());
        let survivor = self.region(SURVIVOR);
        let here = survivor.durable.store.ends(&logs).await?;
        survivor.planted.mirrored(here.clone());
        let there: u64 = self.producers[&LOST].book.look(|book| book.acks.len()) as u64;
        Ok(there.saturating_sub(here.iter().map(|(_, end)| end.prefix.count).sum()))
    }

    fn isolate(&self) {
        self.around.network.part(LOST.region(), SURVIVOR.region());
        self.around.network.part(LOST.region(), "witness");
    }

    fn mend(&self) {
        self.around.network.mend(LOST.region(), SURVIVOR.region());
        self.around.network.mend(LOST.region(), "witness");
    }

    async fn taken_over(&self) -> Result<(), Finding> {
        let journal = || closed_done(&self.around.observer, SURVIVOR.region(), "blackout", LOST.region());
        let taken = || async {
            let mut open = true;
            let served = self.region(SURVIVOR).served()?;
            for slice in self.slices(LOST) {
                let head = self.witness.ownership(&slice).await?;
                open &= head.is_some_and(|head| head.owner == SURVIVOR.region_id());
                open &= served.parts.appends.open_grant(&slice).is_some();
            }
            // In a race of claims the run that lost is not done, whoever won.
            Ok(open && (self.plan.claim_race || journal() > 0))
        };
        self.until("the takeover", taken).await
    }

    async fn wake(&mut self, turns: Turns, happened: &mut Happened) -> Result<(), Finding> {
        let failed = |error: Error| stuck("the waking", &error.to_string());
        let isolated = self.plan.returns_isolated;
        if isolated {
            self.isolate();
        }
        if self.plan.is_killed() {
            self.bring_back(|kind| matches!(kind, FaultKind::Restart { .. })).await?;
            self.sleep(Duration::from_millis(10)).await;
        }
        // Sent while it is still asleep, so that they are the first things that it wakes to.
        let attempts = self.stale_attempts(turns.back).map_err(failed)?;
        self.sleep(Duration::from_millis(10)).await;
        if self.plan.held_until == HeldUntil::Sealing {
            // Or it would find its lines in the mirror of what the survivor wrote, and append nothing.
            self.throttle(LOST, Some(0)).map_err(failed)?;
        }
        self.bring_back(|kind| matches!(kind, FaultKind::Resume { .. })).await?;
        if self.plan.held_until == HeldUntil::Awake {
            self.region(LOST).trap.release();
        }
        self.tried(attempts, happened).await;
        if isolated || self.plan.is_cut_off() {
            self.sleep(Duration::from_secs(1)).await;
            self.bring_back(|kind| matches!(kind, FaultKind::Heal { .. })).await?;
        }
        if isolated {
            self.mend();
        }
        self.throttle(SURVIVOR, None).map_err(failed)
    }

    async fn rejoin(&mut self, turns: Turns, happened: &mut Happened) -> Result<(), Finding> {
        self.let_produce(turns.rejoined);
        let rejoining = self.carry_out(SURVIVOR, Order::Rejoin { returned: LOST.region_id() });
        let releasing = async {
            if self.plan.held_until == HeldUntil::Sealing {
                self.sleep(Duration::from_secs(3)).await;
                self.region(LOST).trap.release();
                self.sleep(Duration::from_millis(500)).await;
                self.throttle(LOST, None)?;
            }
            Ok::<_, Error>(())
        };
        let (rejoined, released) = tokio::join!(rejoining, releasing);
        rejoined?;
        released.map_err(|error| stuck("the release", &error.to_string()))?;
        self.produced(turns.rejoined).await?;
        self.sample().await;
        if self.plan.ends_after_rejoin {
            self.region(LOST).kill();
            self.tend().await.map_err(|error| stuck("the second start", &error.to_string()))?;
            self.sample().await;
        }
        self.stale_sessions(turns.rejoined, happened).await;
        Ok(())
    }

    async fn homecoming(&self, turns: Turns) -> Result<(), Finding> {
        let mut record = turns.rejoined;
        for slice in self.slices(LOST) {
            let order = Order::Switchover { slice: slice.clone(), from: SURVIVOR.region_id() };
            self.carry_out(LOST, order).await?;
            record = (record + self.plan.lines / 20).min(self.plan.lines);
            self.let_produce(record);
            self.produced(record).await?;
        }
        Ok(())
    }

    /// Orders a plan and waits until it is done, over restarts of the plane that drives it.
    pub(super) async fn carry_out(&self, home: Home, order: Order) -> Result<(), Finding> {
        let what = format!("{}: {order:?}", home.region());
        let (kind, subject) = match &order {
            Order::Rejoin { returned } => ("rejoin", returned.to_string()),
            Order::Switchover { slice, .. } => ("switchover", slice.to_string()),
            Order::Blackout { lost } => ("blackout", lost.to_string()),
            _ => return Err(stuck(&what, "no such plan in the story")),
        };
        let deadline = self.around.clock.now().after(PATIENCE);
        let done = || closed_done(&self.around.observer, home.region(), kind, &subject) > 0;
        let mut said = String::new();
        while !done() {
            self.tend().await.map_err(|error| stuck(&what, &error.to_string()))?;
            if self.around.clock.now() > deadline {
                return Err(stuck(&what, &format!("not done within {PATIENCE:?}; last: {said}")));
            }
            match self.ordered(home, order.clone()).await {
                Ok(Some(RunStatus::Failed { reason } | RunStatus::Cancelled { reason })) => {
                    return Err(stuck(&what, &reason));
                }
                Ok(status) => said = format!("{status:?}"),
                Err(error) => said = error.to_string(),
            }
            self.sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    // What became of an order within a short while; none if that is not known.
    pub(super) async fn ordered(&self, home: Home, order: Order) -> Result<Option<RunStatus>, Error> {
        let served = self.region(home).served()?;
        let run = tokio::select! {
            biased;
            run = served.handle.order(order) => run?,
            () = self.sleep(Duration::from_secs(1)) => return Err(Error::retry("no-answer", format!("{:?}", Lost::Silent))),
        };
        let mut status = served.handle.status();
        let ended = |plane: &dcp_core::control_plane::PlaneStatus, run: &RunId| {
            let goes_on = |status: &RunStatus| matches!(status, RunStatus::Running | RunStatus::Cancelling { .. });
            plane.runs.get(run).map(|(_, status)| status.clone()).filter(|status| !goes_on(status))
        };
        loop {
            if let Some(status) = ended(&status.borrow_and_update(), &run) {
                return Ok(Some(status));
            }
            let waited = tokio::select! {
                biased;
                changed = status.changed() => changed.is_ok(),
                () = self.sleep(Duration::from_secs(1)) => !served.process.is_dead(),
            };
            if !waited {
                return Ok(None);
            }
        }
    }

    pub(super) async fn is_settled(&self) -> Result<bool, Error> {
        let (west, central) = (self.region(LOST), self.region(SURVIVOR));
        for home in Home::ALL {
            let logs = self.around.treaty.logs_by_origin(&home.region_id());
            let (there, here) = (west.store.ends(&logs).await?, central.store.ends(&logs).await?);
            if logs
                .iter()
                .any(|log| there.get(log).map(|end| end.prefix.count) != here.get(log).map(|end| end.prefix.count))
            {
                return Ok(false);
            }
            for region in [west, central] {
                use dcp_core::ports::ReplayControl as _;
                let ends = region.store.ends(&logs).await?;
                let status = region.served()?.projector.status().await?;
                if !status.reached(&ends) || status.dirty.values().any(|streams| *streams > 0) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Reads every fence and every mirror from outside.
    pub(super) async fn sample(&self) {
        for (home, region) in &self.regions {
            for log in self.around.treaty.logs_by_origin(&home.region_id()) {
                if let Ok(fence) = region.store.fence(&log).await {
                    let epoch = fence.highest().map_or(Epoch::NONE, |rank| rank.epoch);
                    self.around.observer.fence(log.to_string(), epoch);
                }
                self.sample_mirror(*home, &log).await;
            }
        }
    }

    // A mirror is a prefix of its source at every moment.
    async fn sample_mirror(&self, home: Home, log: &dcp_core::log::LogId) {
        let other = if home == LOST { SURVIVOR } else { LOST };
        let (source, mirror) = (&self.region(home).durable.store, &self.region(other).durable.store);
        let Ok(ends) = mirror.ends(std::slice::from_ref(log)).await else { return };
        let Some(end) = ends.get(log) else { return };
        if let Ok(prefix) = source.prefix(log, end.prefix.count).await {
            let wrong = (prefix != Some(end.prefix))
                .then(|| format!("{log}: the mirror holds {:?}, the source {prefix:?}", end.prefix));
            self.around.observer.check("M2", wrong);
        }
    }
}

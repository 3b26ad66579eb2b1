//! Driving runs under one term: those that a crash left open, those that are ordered, and a
//! blackout by itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::decide::lets_start;
use super::handle::{Order, Ordered, PlaneStatus, RunStatus};
use super::leading::lost;
use super::orders::{order_of, plan_of, run_id};
use super::peer_watch::PeerWatch;
use crate::error::{Error, ErrorKind};
use crate::ids::RunId;
use crate::recovery::{PeerLeases, RecoveryCatalog, RecoveryParts};
use crate::runbook::{Direction, Driver, RunEnd, RunState, Stage};

// Before a drive that could not go on is tried again.
const BACK_OFF: Duration = Duration::from_millis(250);

pub(super) struct Work<'a> {
    pub(super) parts: &'a Arc<RecoveryParts>,
    pub(super) watch: &'a PeerWatch,
    pub(super) drawn: &'a [u8; 32],
    pub(super) publish: &'a watch::Sender<PlaneStatus>,
    pub(super) driver: &'a Driver,
}

/// What ended one wait.
enum Wake {
    Stop,
    Drove(Result<RunEnd, Error>),
    Ordered(Box<Ordered>),
    Looked,
}

impl Work<'_> {
    pub(super) async fn run(
        &mut self,
        queue: &mut mpsc::Receiver<Ordered>,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let catalog = self.catalog();
        let mut current = self.left_open().await?;
        while !stop.is_cancelled() {
            let halt = stop.child_token();
            let wake = self.wait(current.as_ref(), &catalog, &halt, queue).await;
            match wake {
                Wake::Stop => break,
                Wake::Drove(ended) => current = self.drove(current.take(), ended, stop).await?,
                Wake::Ordered(ordered) => current = self.ordered(*ordered, current.take()).await?,
                Wake::Looked => current = self.looked(current.take()).await?,
            }
        }
        Ok(())
    }

    fn catalog(&self) -> RecoveryCatalog {
        RecoveryCatalog::new(Arc::clone(self.parts))
    }

    // The drive is dropped when something else wakes the wait: what it leaves is resumed like a
    // crash, by probing, on the next turn.
    async fn wait(
        &self,
        current: Option<&RunId>,
        catalog: &RecoveryCatalog,
        halt: &CancellationToken,
        queue: &mut mpsc::Receiver<Ordered>,
    ) -> Wake {
        let drive = async {
            match current {
                Some(run) => self.driver.drive(run, catalog, halt).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = halt.cancelled() => Wake::Stop,
            ended = drive => Wake::Drove(ended),
            ordered = queue.recv() => ordered.map_or(Wake::Stop, |ordered| Wake::Ordered(Box::new(ordered))),
            () = self.peer_ran_out(current) => Wake::Looked,
        }
    }

    // Returns when a blackout is to be started that is not being driven already.
    async fn peer_ran_out(&self, current: Option<&RunId>) {
        let pause = self.parts.treaty.ttl() / 16;
        loop {
            self.parts.clock.sleep(pause).await;
            if let Ok(Some(order)) = self.due().await
                && !self.drives(current, &order)
            {
                return;
            }
        }
    }

    fn drives(&self, current: Option<&RunId>, order: &Order) -> bool {
        current.is_some_and(|run| self.publish.borrow().runs.get(run).is_some_and(|(driven, _)| driven == order))
    }

    async fn due(&self) -> Result<Option<Order>, Error> {
        let now = self.parts.clock.now();
        for peer in self.watch.peers() {
            if lets_start(&self.watch.state(&peer, now)) && !self.parts.takeable(&peer).await?.is_empty() {
                return Ok(Some(Order::Blackout { lost: peer }));
            }
        }
        Ok(None)
    }

    /// The run that a crash interrupted. One whose last step failed waits for an order: what was
    /// refused last week must not go on by itself after a restart.
    async fn left_open(&self) -> Result<Option<RunId>, Error> {
        let journal = self.driver.journal();
        for run in journal.open_runs().await? {
            let Some(state) = journal.run(&run).await? else { continue };
            if !has_failed(&state) {
                if let Some(order) = order_of(state.plan()) {
                    tracing::info!(%run, "resumes a run that was left open");
                    self.publish_run(&run, &order, RunStatus::Running);
                    return Ok(Some(run));
                }
                tracing::warn!(%run, kind = state.plan().kind(), "left open by other code; not driven");
            }
        }
        Ok(None)
    }

    async fn drove(
        &self,
        current: Option<RunId>,
        ended: Result<RunEnd, Error>,
        stop: &CancellationToken,
    ) -> Result<Option<RunId>, Error> {
        let Some(run) = current else { return Ok(None) };
        let status = match ended {
            Ok(RunEnd::Done | RunEnd::Cancelled) => RunStatus::Done,
            Ok(RunEnd::Superseded) => RunStatus::Superseded,
            Ok(RunEnd::Failed { step, error }) => {
                if error.kind() == ErrorKind::Refused {
                    self.step_back(&run, &error, stop).await;
                }
                RunStatus::Failed { reason: format!("{step}: {error}") }
            }
            Ok(RunEnd::Stopped) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Retry => {
                tracing::warn!(%run, %error, "the drive is tried again");
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    () = self.parts.clock.sleep(BACK_OFF) => {}
                }
                return Ok(Some(run));
            }
            Err(error) => return Err(error),
        };
        tracing::info!(%run, ?status, "the run has ended");
        self.publish.send_modify(|plane| {
            if let Some((_, of_run)) = plane.runs.get_mut(&run) {
                *of_run = status.clone();
            }
        });
        Ok(None)
    }

    /// A run that a rule has refused is cancelled, so that what it had prepared is undone; one that
    /// has done something irreversible stays open for an operator.
    async fn step_back(&self, run: &RunId, error: &Error, stop: &CancellationToken) {
        let reason = format!("refused: {}", error.message());
        if let Err(error) = self.driver.cancel(run, &reason, &self.catalog(), stop).await {
            tracing::warn!(%run, %error, "the refused run stays open");
        }
    }

    async fn ordered(&self, (order, answer): Ordered, current: Option<RunId>) -> Result<Option<RunId>, Error> {
        if let Some(run) = &current {
            let same = self.drives(current.as_ref(), &order);
            if same || !matches!(order, Order::Blackout { .. }) {
                let busy =
                    || Error::refused("busy", format!("run {run} is being driven; only a blackout takes its place"));
                // A caller that went away has lost nothing: the order is in no journal.
                let _ = answer.send(if same { Ok(run.clone()) } else { Err(busy()) });
                return Ok(current);
            }
        }
        let opened = self.open(&order).await;
        let next = opened.as_ref().ok().cloned();
        let fatal = opened.as_ref().err().filter(|error| error.kind() == ErrorKind::Fenced).cloned();
        let _ = answer.send(opened);
        fatal.map_or(Ok(next.or(current)), Err)
    }

    async fn looked(&self, current: Option<RunId>) -> Result<Option<RunId>, Error> {
        match self.due().await {
            Ok(Some(order)) if !self.drives(current.as_ref(), &order) => {
                tracing::warn!(?order, "the peer's ownership lease ran out; takes over by itself");
                Ok(Some(self.open(&order).await?))
            }
            _ => Ok(current),
        }
    }

    /// Opens a run for the order, or goes on with an open one of the same plan.
    async fn open(&self, order: &Order) -> Result<RunId, Error> {
        let plan = plan_of(&self.parts.treaty, order)?;
        let journal = self.driver.journal();
        let mut same = None;
        for run in journal.open_runs().await? {
            if journal.run(&run).await?.is_some_and(|state| state.digest() == plan.digest()) {
                same = Some(run);
            }
        }
        let run = match same {
            Some(run) => run,
            None => run_id(&plan, self.drawn, journal.run_count().await?)?,
        };
        self.driver.supersede_open_runs(Some(&run)).await.map_err(lost)?;
        self.driver.open_run(&run, &plan).await.map_err(lost)?;
        self.publish_run(&run, order, RunStatus::Running);
        Ok(run)
    }

    fn publish_run(&self, run: &RunId, order: &Order, status: RunStatus) {
        self.publish.send_modify(|plane| {
            plane.runs.insert(run.clone(), (order.clone(), status));
        });
    }
}

fn has_failed(state: &RunState) -> bool {
    state.plan().steps().iter().any(|step| matches!(state.step(&step.id, Direction::Forward).stage, Stage::Failed(_)))
}

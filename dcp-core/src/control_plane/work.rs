//! Driving runs under one term: those that a crash left open, those that are ordered, and a
//! blackout by itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::decide::lets_start;
use super::handle::{Order, Ordered, PlaneStatus, RunStatus};
use super::orders::order_of;
use super::pacing::{Automatic, short_pause};
use super::resumption::{Resumption, refused, resumption};
use crate::clock::Moment;
use crate::error::{Error, ErrorKind};
use crate::ids::RunId;
use crate::ports::Facts;
use crate::recovery::{RecoveryCatalog, RecoveryParts};
use crate::runbook::{Driver, RunEnd};

mod opening;

pub(super) struct Work<'a> {
    pub(super) parts: &'a Arc<RecoveryParts>,
    pub(super) drawn: &'a [u8; 32],
    pub(super) publish: &'a watch::Sender<PlaneStatus>,
    pub(super) driver: &'a Driver,
    pub(super) automatic: &'a Automatic,
    /// Runs whose drive met an error of its own in this term: only an order drives them again.
    pub(super) given_up: BTreeSet<RunId>,
    /// The journal's open runs are still to be looked at.
    pub(super) look_again: bool,
}

/// The run that is driven, and from when on.
#[derive(Debug, Clone)]
struct Current {
    run: RunId,
    after: Moment,
    failures: u32,
}

/// What ended one wait.
enum Wake {
    Stop,
    Drove(Result<RunEnd, Error>),
    Ordered(Box<Ordered>),
    Looked,
}

impl Work<'_> {
    /// # Errors
    /// What ends the leadership: another drives the journal, or the journal is corrupt. No error of
    /// a run, a step or a port does.
    pub(super) async fn run(
        &mut self,
        queue: &mut mpsc::Receiver<Ordered>,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let catalog = RecoveryCatalog::new(Arc::clone(self.parts));
        let mut current = self.left_open_or_none().await?;
        while !stop.is_cancelled() {
            let halt = stop.child_token();
            let wake = self.wait(current.as_ref(), &catalog, &halt, queue).await;
            current = match wake {
                Wake::Stop => break,
                Wake::Drove(ended) => self.drove(current.take(), ended).await?,
                Wake::Ordered(ordered) => self.ordered(*ordered, current.take()).await?,
                Wake::Looked => self.looked(current.take()).await?,
            };
        }
        Ok(())
    }

    // The drive is dropped when something else wakes the wait: what it leaves is resumed like a
    // crash, by probing, on the next turn.
    async fn wait(
        &self,
        current: Option<&Current>,
        catalog: &RecoveryCatalog,
        halt: &CancellationToken,
        queue: &mut mpsc::Receiver<Ordered>,
    ) -> Wake {
        let drive = async {
            match current {
                Some(current) => {
                    if self.parts.clock.now() < current.after {
                        self.parts.clock.sleep_until(current.after).await;
                    }
                    self.driver.drive(&current.run, catalog, halt).await
                }
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

    // Returns when a blackout is to be started that is not being driven already, or the journal is to
    // be read again.
    async fn peer_ran_out(&self, current: Option<&Current>) {
        let pause = self.parts.treaty.ttl() / 16;
        loop {
            self.parts.clock.sleep(pause).await;
            if self.look_again && current.is_none() {
                return;
            }
            if let Ok(Some(order)) = self.due().await
                && !self.is_about(current, &order)
            {
                return;
            }
        }
    }

    fn is_about(&self, current: Option<&Current>, order: &Order) -> bool {
        let runs = &self.publish.borrow().runs;
        current.is_some_and(|current| runs.get(&current.run).is_some_and(|(driven, _)| driven == order))
    }

    fn goes_back(&self, current: &Current) -> bool {
        let runs = &self.publish.borrow().runs;
        runs.get(&current.run).is_some_and(|(_, status)| matches!(status, RunStatus::Cancelling { .. }))
    }

    async fn due(&self) -> Result<Option<Order>, Error> {
        let now = self.parts.clock.now();
        for peer in self.parts.peer_leases.peers() {
            if !lets_start(&self.parts.peer_leases.state(&peer, now)) {
                self.automatic.forget(&peer);
            } else if self.automatic.may_start(&peer, now) && !self.parts.takeable(&peer).await?.is_empty() {
                return Ok(Some(Order::Blackout { lost: peer }));
            }
        }
        Ok(None)
    }

    /// The next of the runs that are open in the journal; those that go forward come first. One that
    /// a rule has refused is turned back: what it had prepared must not stay.
    async fn left_open(&self) -> Result<Option<Current>, Error> {
        let journal = self.driver.journal();
        let (mut forward, mut back) = (None, None);
        for run in journal.open_runs().await? {
            let Some(state) = journal.run(&run).await?.filter(|_| !self.given_up.contains(&run)) else { continue };
            let Some(order) = order_of(state.plan()) else {
                tracing::warn!(%run, kind = state.plan().kind(), "left open by other code; not driven");
                continue;
            };
            let cancelling = |reason| RunStatus::Cancelling { reason };
            match resumption(&state) {
                Resumption::Forward => {
                    self.publish_run(&run, &order, RunStatus::Running);
                    forward.get_or_insert(run);
                }
                Resumption::Back => {
                    self.publish_run(&run, &order, cancelling(state.why_cancelled().unwrap_or_default().to_owned()));
                    back.get_or_insert(run);
                }
                Resumption::TurnBack(reason) => {
                    self.driver.turn_back(&run, &reason).await?;
                    self.publish_run(&run, &order, cancelling(reason));
                    back.get_or_insert(run);
                }
                Resumption::Leave => {}
            }
        }
        Ok(forward.or(back).map(|run| {
            tracing::info!(%run, "goes on with a run that is open");
            self.at_once(run)
        }))
    }

    fn at_once(&self, run: RunId) -> Current {
        Current { run, after: self.parts.clock.now(), failures: 0 }
    }

    fn later(&self, mut current: Current) -> Current {
        current.failures = current.failures.saturating_add(1);
        current.after = self.parts.clock.now().after(short_pause(current.failures));
        current
    }

    async fn drove(
        &mut self,
        current: Option<Current>,
        ended: Result<RunEnd, Error>,
    ) -> Result<Option<Current>, Error> {
        let Some(current) = current else { return Ok(None) };
        let run = &current.run;
        let status = match ended {
            Ok(RunEnd::Stopped) => return Ok(None),
            Ok(RunEnd::Done) => RunStatus::Done,
            Ok(RunEnd::Superseded) => RunStatus::Superseded,
            Ok(RunEnd::Cancelled) => RunStatus::Cancelled { reason: self.why_cancelled(run).await? },
            Ok(RunEnd::Failed { step, error }) if self.goes_back(&current) => {
                tracing::warn!(%run, %step, %error, "not undone yet; is tried again");
                return Ok(Some(self.later(current)));
            }
            Ok(RunEnd::Failed { step, error }) => {
                if error.kind() == ErrorKind::Refused {
                    let reason = format!("{step}: {}", refused(&error));
                    match self.driver.turn_back(run, &reason).await {
                        Ok(()) => {
                            self.set_status(run, RunStatus::Cancelling { reason });
                            return Ok(Some(self.at_once(current.run)));
                        }
                        // Something irreversible was done: an operator decides.
                        Err(error) if error.kind() == ErrorKind::Refused => {}
                        Err(error) => return self.outlived(current, error).await,
                    }
                }
                RunStatus::Failed { reason: format!("{step}: {error}") }
            }
            Err(error) => return self.outlived(current, error).await,
        };
        self.end(&current.run, status);
        self.left_open_or_none().await
    }

    /// A drive has met an error that is no step's. It ends the leadership only if the journal says
    /// that this plane no longer drives it, or is corrupt.
    async fn outlived(&mut self, current: Current, error: Error) -> Result<Option<Current>, Error> {
        let run = &current.run;
        match self.driver.confirm().await {
            Ok(()) if error.kind() != ErrorKind::Retry => {}
            Err(ends) if ends.kind() != ErrorKind::Retry => return Err(ends),
            _ => {
                tracing::warn!(%run, %error, "the drive is tried again");
                return Ok(Some(self.later(current)));
            }
        }
        tracing::error!(%run, %error, "the run cannot be driven; it waits for an operator");
        let facts = Facts::new().with("run", run)?.with("error", &error)?;
        if let Err(failure) = self.driver.note("drive-failed", facts).await {
            tracing::warn!(%run, %failure, "the failed drive is not in the journal");
        }
        self.given_up.insert(run.clone());
        self.end(run, RunStatus::Failed { reason: error.to_string() });
        self.left_open_or_none().await
    }

    // A journal that cannot be read now is read again a little later.
    async fn left_open_or_none(&mut self) -> Result<Option<Current>, Error> {
        let next = self.left_open().await;
        self.look_again = next.is_err();
        match next {
            Err(error) => self.survive(&error).await.map(|()| None),
            next => next,
        }
    }

    /// Passes over an error that does not end the leadership.
    async fn survive(&self, error: &Error) -> Result<(), Error> {
        match self.driver.confirm().await {
            Err(ends) if ends.kind() != ErrorKind::Retry => Err(ends),
            _ => {
                tracing::warn!(%error, "the plane goes on");
                Ok(())
            }
        }
    }

    async fn why_cancelled(&self, run: &RunId) -> Result<String, Error> {
        let state = match self.driver.journal().run(run).await {
            Err(error) => self.survive(&error).await.map(|()| None)?,
            Ok(state) => state,
        };
        Ok(state.and_then(|state| state.why_cancelled().map(str::to_owned)).unwrap_or_default())
    }

    fn end(&self, run: &RunId, status: RunStatus) {
        tracing::info!(%run, ?status, "the run has ended");
        let now = self.parts.clock.now();
        if let Some((Order::Blackout { lost }, _)) = self.publish.borrow().runs.get(run) {
            match &status {
                RunStatus::Done => self.automatic.forget(lost),
                RunStatus::Failed { .. } | RunStatus::Cancelled { .. } => {
                    self.automatic.failed(lost, self.parts.treaty.ttl(), now);
                }
                _ => {}
            }
        }
        self.set_status(run, status);
    }

    fn set_status(&self, run: &RunId, status: RunStatus) {
        self.publish.send_modify(|plane| {
            if let Some((_, of_run)) = plane.runs.get_mut(run) {
                *of_run = status;
            }
        });
    }

    fn publish_run(&self, run: &RunId, order: &Order, status: RunStatus) {
        self.publish.send_modify(|plane| {
            plane.runs.insert(run.clone(), (order.clone(), status));
        });
    }
}

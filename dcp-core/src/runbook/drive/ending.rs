//! Ending runs otherwise than by their last step: cancelling and superseding.

use tokio_util::sync::CancellationToken;

use super::{Driver, RunEnd, decided_by_driving_again};
use crate::error::{Error, Failure};
use crate::ids::RunId;
use crate::runbook::entry::{JournalEntry, RunResult};
use crate::runbook::plan::ActionCatalog;
use crate::runbook::run::{RunState, RunStatus};
use crate::runbook::turn::Held;

impl Driver {
    /// Cancels a run: stops its drive, waits for it, undoes what was done in reverse order, and
    /// closes it. A crash or `stop` in between leaves it cancelling: drive it, or cancel it again.
    ///
    /// # Errors
    /// `Refused` if an irreversible step has, or may have, acted: drive the run on, or supersede
    /// it. Otherwise as [`Driver::drive`].
    ///
    /// # Cancel safety
    /// As [`Driver::drive`].
    pub async fn cancel(
        &self,
        run: &RunId,
        reason: &str,
        catalog: &dyn ActionCatalog,
        stop: &CancellationToken,
    ) -> Result<RunEnd, Error> {
        let held = self.begin_back(run, reason, stop).await?;
        self.drive_held(run, catalog, &held).await
    }

    /// Stops a run's drive, waits for it, and journals that the run only goes back from here on;
    /// driving it undoes what was done. No effect on a run that goes back already.
    ///
    /// # Errors
    /// As [`Driver::cancel`].
    ///
    /// # Cancel safety
    /// A dropped call is in doubt; turn it back again.
    pub async fn turn_back(&self, run: &RunId, reason: &str) -> Result<(), Error> {
        self.begin_back(run, reason, &CancellationToken::new()).await.map(drop)
    }

    async fn begin_back(&self, run: &RunId, reason: &str, stop: &CancellationToken) -> Result<Held, Error> {
        // Once before the drive is disturbed, and once when it can no longer move.
        may_cancel(run, &self.known(run).await?)?;
        let held = self.turns.end(run, stop).await;
        let state = self.known(run).await?;
        may_cancel(run, &state)?;
        if state.status() == RunStatus::Open {
            let cancelling = JournalEntry::RunCancelling { run: run.clone(), reason: reason.to_owned() };
            self.append(cancelling).await.map_err(decided_by_driving_again)?;
        }
        Ok(held)
    }

    /// Stops a run's drive, waits for it, and closes the run as superseded; what it did stays. No
    /// effect on a run that is closed.
    ///
    /// # Errors
    /// `NotApplied(Invalid)` if there is no such run; otherwise as
    /// [`Journal::append`](crate::runbook::Journal::append).
    pub async fn supersede(&self, run: &RunId) -> Result<(), Failure> {
        let _held = self.turns.end(run, &CancellationToken::new()).await;
        let state = self.known(run).await.map_err(Failure::NotApplied)?;
        if matches!(state.status(), RunStatus::Closed(_)) {
            return Ok(());
        }
        self.append(JournalEntry::RunClosed { run: run.clone(), result: RunResult::Superseded }).await
    }

    /// Supersedes every open run but one; the runs that it closed. A plan that is legal from every
    /// state calls it first.
    ///
    /// # Errors
    /// As [`Driver::supersede`], at the first run that cannot be closed; those before it stay closed.
    pub async fn supersede_open_runs(&self, except: Option<&RunId>) -> Result<Vec<RunId>, Failure> {
        let mut open = self.open_runs().await.map_err(Failure::NotApplied)?;
        open.retain(|run| Some(run) != except);
        for run in &open {
            self.supersede(run).await?;
        }
        Ok(open)
    }
}

fn may_cancel(run: &RunId, state: &RunState) -> Result<(), Error> {
    match (state.status(), state.irreversible()) {
        (RunStatus::Open, Some(step)) => Err(Error::refused(
            "irreversible",
            format!("run {run}: step {step} cannot be undone and may have acted; drive the run on or supersede it"),
        )),
        _ => Ok(()),
    }
}

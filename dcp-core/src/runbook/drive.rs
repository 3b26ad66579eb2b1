//! The driver: the thin shell that executes runs by the rules of `decide`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::decide::{Work, next_work};
use super::entry::{JournalEntry, RunResult};
use super::journal::Journal;
use super::lease::DriverLease;
use super::plan::{ActionCatalog, Plan};
use super::rules::Rules;
use super::run::{RunState, RunStatus};
use super::turn::{Held, Turns};
use crate::clock::{Clock, Entropy};
use crate::error::{Error, ErrorKind, Failure};
use crate::fence::Term;
use crate::ids::{RunId, StepId};
use crate::ports::{Facts, Failpoints, Readiness};
use crate::signed::Signer;

mod check;
mod ending;
mod step;

use step::StepEnd;

/// What a driver is assembled from.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs)]
pub struct DriverParts {
    /// Deadlines and pauses.
    pub clock: Arc<dyn Clock>,
    /// Nonces.
    pub entropy: Arc<dyn Entropy>,
    /// Where a drill may hold or end the process.
    pub failpoints: Arc<dyn Failpoints>,
    /// The region's local key: signs outcomes.
    pub signer: Arc<Signer>,
}

/// How a drive ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunEnd {
    /// Every step is done; the run is closed.
    Done,
    /// A step was given up. The run stays open: driven again, it tries that step again.
    Failed {
        /// The step.
        step: StepId,
        /// Why.
        error: Error,
    },
    /// The drive was told to stop. The run stays open.
    Stopped,
    /// The run was cancelled and what it did is undone; it is closed.
    Cancelled,
    /// Another plan has taken the run's place; it is closed.
    Superseded,
}

impl From<RunResult> for RunEnd {
    fn from(result: RunResult) -> Self {
        match result {
            RunResult::Done => Self::Done,
            RunResult::Cancelled => Self::Cancelled,
            RunResult::Superseded => Self::Superseded,
        }
    }
}

/// What the precondition of one step answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct StepCheck {
    /// The step.
    pub step: StepId,
    /// Its answer, or why it could not be asked.
    pub readiness: Result<Readiness, Error>,
}

/// Executes runs as the present driver of a journal.
///
/// One driver may drive several runs at a time, each by one call. See the contract of [`Journal`].
#[derive(Debug)]
pub struct Driver {
    journal: Arc<Journal>,
    lease: DriverLease,
    parts: DriverParts,
    turns: Turns,
    rules: Rules,
}

impl Driver {
    /// Takes the driver's lease of a journal under a term.
    ///
    /// # Errors
    /// As [`Journal::take`]: `Fenced` if a driver of a newer term holds it.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call may have taken the lease. Take it again.
    pub async fn take(journal: Arc<Journal>, term: Term, parts: DriverParts) -> Result<Self, Failure> {
        let lease = journal.take(term, Arc::clone(&parts.signer)).await?;
        Ok(Self { journal, lease, parts, turns: Turns::default(), rules: Rules::kept() })
    }

    /// With other rules: only for planted defects.
    #[cfg(feature = "test-util")]
    #[must_use]
    pub fn with_rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// The term under which it drives.
    #[must_use]
    pub fn term(&self) -> &Term {
        self.lease.term()
    }

    /// The journal.
    #[must_use]
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// Opens a run with its plan; no effect if the run exists with the same plan, open or closed.
    ///
    /// # Errors
    /// `NotApplied(Refused)` if the run exists with another plan: choose another run id.
    /// `NotApplied(Fenced)` if another driver has taken over. `InDoubt`: open it again.
    ///
    /// # Cancel safety
    /// A dropped call is in doubt; open it again.
    pub async fn open_run(&self, run: &RunId, plan: &Plan) -> Result<(), Failure> {
        let digest = plan.digest();
        if let Some(state) = self.journal.run(run).await.map_err(Failure::NotApplied)? {
            if (self.rules.same_plan)(&state.digest(), &digest) {
                return Ok(());
            }
            let sentence =
                format!("run {run}: has a plan of digest {}, not {digest}; choose another id", state.digest());
            return Err(Failure::NotApplied(Error::refused("other-plan", sentence)));
        }
        let term = self.lease.term().clone();
        self.append(JournalEntry::RunOpened { run: run.clone(), plan: plan.clone(), digest, term }).await
    }

    /// Drives a run until it ends, a step fails, or it is told to stop. On a run that was driven
    /// before, by any process, it resumes: a step that may have acted is probed first.
    ///
    /// A failed step leaves the run open: driving again tries that step again. A run that is being
    /// cancelled goes on being cancelled.
    ///
    /// # Errors
    /// `Fenced` if another driver has taken over: stop. `Refused` if the run is being driven
    /// already. `Invalid` if there is no such run, or the catalog does not know a step. `Retry` if
    /// the journal or the catalog's preparation failed or is in doubt: drive again.
    ///
    /// # Cancel safety
    /// Cancel safe in what it leaves: a dropped drive is resumed like one that crashed. To stop in
    /// good order cancel `stop`.
    pub async fn drive(
        &self,
        run: &RunId,
        catalog: &dyn ActionCatalog,
        stop: &CancellationToken,
    ) -> Result<RunEnd, Error> {
        let held = self.turns.drive(run, stop)?;
        self.drive_held(run, catalog, &held).await
    }

    async fn drive_held(&self, run: &RunId, catalog: &dyn ActionCatalog, held: &Held) -> Result<RunEnd, Error> {
        let mut state = self.known(run).await?;
        if let RunStatus::Closed(result) = state.status() {
            return Ok(result.into());
        }
        let done = state.done();
        tokio::select! {
            biased;
            () = held.stopped() => return Ok(RunEnd::Stopped),
            prepared = catalog.prepare(run, &done) => prepared.map_err(decided_by_driving_again)?,
        }
        let mut done_now = BTreeSet::new();
        loop {
            let (step, purpose) = match next_work(&state) {
                Work::Ended(result) => return Ok(result.into()),
                Work::Close(result) => {
                    self.append(JournalEntry::RunClosed { run: run.clone(), result })
                        .await
                        .map_err(decided_by_driving_again)?;
                    return Ok(result.into());
                }
                Work::Step(step, purpose) => (step.clone(), purpose),
            };
            if held.is_stopped() {
                return Ok(RunEnd::Stopped);
            }
            let facts = (self.rules.facts)(&state, &done_now);
            match self.work(run, &state, &step, purpose, facts, catalog, held).await? {
                StepEnd::Stopped => return Ok(RunEnd::Stopped),
                StepEnd::Failed(error) => return Ok(RunEnd::Failed { step: step.id, error }),
                StepEnd::Settled => done_now.insert(step.id),
            };
            state = self.known(run).await?;
        }
    }

    /// Appends a free fact: a break-glass call, an alert, an anchor.
    ///
    /// # Errors
    /// As [`Journal::append`]; a journal that has moved is read and tried again.
    pub async fn note(&self, name: &str, facts: Facts) -> Result<(), Failure> {
        let note = JournalEntry::Note { name: name.to_owned(), facts };
        match self.append(note.clone()).await {
            // An earlier append of this driver took late; a note decides nothing from what it read.
            Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Conflict => self.append(note).await,
            answer => answer,
        }
    }

    /// Whether it still drives the journal.
    ///
    /// # Errors
    /// `Fenced` if another driver has taken over; `Corrupt` if the journal's chain is broken; `Retry`
    /// if the journal cannot be read now.
    pub async fn confirm(&self) -> Result<(), Error> {
        self.journal.confirm(&self.lease).await
    }

    /// What the journal says of a run.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub async fn run_state(&self, run: &RunId) -> Result<Option<RunState>, Error> {
        self.journal.run(run).await
    }

    /// Runs that are not closed, by id.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub async fn open_runs(&self) -> Result<Vec<RunId>, Error> {
        self.journal.open_runs().await
    }

    async fn known(&self, run: &RunId) -> Result<RunState, Error> {
        // Fenced here already, so that an older driver neither prepares nor probes.
        let state = self.journal.run_as(&self.lease, run).await?;
        state.ok_or_else(|| Error::invalid("unknown-run", format!("run {run}: the journal does not know it; open it")))
    }

    async fn append(&self, entry: JournalEntry) -> Result<(), Failure> {
        self.journal.append(&self.lease, entry).await.map(|_| ())
    }
}

// Neither outcome is assumed: the next drive reads the journal, which holds the entry or does not,
// and the catalog's preparation is idempotent.
fn decided_by_driving_again(failure: Failure) -> Error {
    match failure {
        Failure::NotApplied(error) if error.kind() == ErrorKind::Conflict => {
            Error::retry("journal-moved", error.message().to_owned())
        }
        Failure::NotApplied(error) => error,
        Failure::InDoubt(doubt) => Error::retry("drive-again", doubt.to_string()),
    }
}

type Done = BTreeMap<StepId, Facts>;

//! What the journal says of a run: a fold over its entries. Pure.

use std::collections::BTreeMap;

use super::entry::{Direction, JournalEntry, RunResult, StepResult};
use super::plan::Plan;
use crate::digest::Digest;
use crate::error::Error;
use crate::fence::Term;
use crate::ids::{RunId, StepId};
use crate::ports::Facts;

/// Whether a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum RunStatus {
    /// It is driven forward.
    Open,
    /// It only goes back.
    Cancelling,
    /// It has ended.
    Closed(RunResult),
}

/// How far a step has come in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Stage {
    /// Nothing is written of it.
    Untouched,
    /// It was about to act; whether it did is not known.
    Intended,
    /// The effect is there.
    Done(Facts),
    /// The last attempt was given up.
    Failed(Error),
    /// It was intended, and proved not to have acted.
    NotApplied,
}

/// A step in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepState {
    /// How far it has come.
    pub stage: Stage,
    /// The nonce of its intents, once there is one.
    pub nonce: Option<Digest>,
    /// How often it was intended.
    pub attempts: u32,
}

impl StepState {
    const UNTOUCHED: Self = Self { stage: Stage::Untouched, nonce: None, attempts: 0 };

    /// Whether its effect is, or may be, there.
    #[must_use]
    pub fn may_have_acted(&self) -> bool {
        match self.stage {
            Stage::Done(_) | Stage::Intended => true,
            Stage::Failed(_) => self.attempts > 0,
            Stage::Untouched | Stage::NotApplied => false,
        }
    }
}

/// What the journal says of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunState {
    plan: Plan,
    digest: Digest,
    term: Term,
    status: RunStatus,
    why_cancelled: Option<String>,
    steps: BTreeMap<(StepId, Direction), StepState>,
}

impl RunState {
    fn opened(plan: &Plan, digest: Digest, term: &Term) -> Self {
        Self {
            plan: plan.clone(),
            digest,
            term: term.clone(),
            status: RunStatus::Open,
            why_cancelled: None,
            steps: BTreeMap::new(),
        }
    }

    /// The state of a run after these entries, for tests of what is decided from it.
    #[cfg(test)]
    pub(crate) fn of<'a>(
        run: &RunId,
        entries: impl IntoIterator<Item = &'a JournalEntry>,
    ) -> Result<Option<Self>, Error> {
        let mut runs = Runs::default();
        for entry in entries {
            runs.take_in(entry)?;
        }
        Ok(runs.get(run).cloned())
    }

    /// The pinned plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The pinned plan's digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The term that opened the run.
    #[must_use]
    pub fn opened_by(&self) -> &Term {
        &self.term
    }

    /// Whether it goes on.
    #[must_use]
    pub fn status(&self) -> RunStatus {
        self.status
    }

    /// Why it goes back, or went back, if it does.
    #[must_use]
    pub fn why_cancelled(&self) -> Option<&str> {
        self.why_cancelled.as_deref()
    }

    /// How far a step has come in one direction, if anything is written of it.
    #[must_use]
    pub fn stage(&self, id: &StepId, direction: Direction) -> Option<&Stage> {
        self.steps.get(&(id.clone(), direction)).map(|step| &step.stage)
    }

    /// A step in one direction.
    #[must_use]
    pub fn step(&self, id: &StepId, direction: Direction) -> StepState {
        self.steps.get(&(id.clone(), direction)).cloned().unwrap_or(StepState::UNTOUCHED)
    }

    /// Facts of the steps that are done, by step.
    #[must_use]
    pub fn done(&self) -> BTreeMap<StepId, Facts> {
        let done = |((id, direction), state): (&(StepId, Direction), &StepState)| match (&state.stage, direction) {
            (Stage::Done(facts), Direction::Forward) => Some((id.clone(), facts.clone())),
            _ => None,
        };
        self.steps.iter().filter_map(done).collect()
    }

    /// The first irreversible step that has, or may have, acted.
    #[must_use]
    pub fn irreversible(&self) -> Option<&StepId> {
        let acted = |id: &StepId| self.step(id, Direction::Forward).may_have_acted();
        self.plan.steps().iter().find(|step| step.irreversible && acted(&step.id)).map(|step| &step.id)
    }

    fn intend(&mut self, id: &StepId, direction: Direction, nonce: Digest, attempt: u32) -> Result<(), Error> {
        let step = self.step(id, direction);
        if matches!(step.stage, Stage::Done(_)) {
            return Err(contradiction(id, "is intended, and is done already"));
        }
        if step.nonce.is_some_and(|pinned| pinned != nonce) {
            return Err(contradiction(id, "is intended under another nonce than before"));
        }
        if attempt != step.attempts.saturating_add(1) {
            return Err(contradiction(id, "is intended out of turn"));
        }
        let intended = StepState { stage: Stage::Intended, nonce: Some(nonce), attempts: attempt };
        self.steps.insert((id.clone(), direction), intended);
        Ok(())
    }

    fn settle(&mut self, id: &StepId, direction: Direction, result: &StepResult) -> Result<(), Error> {
        let mut step = self.step(id, direction);
        if matches!(step.stage, Stage::Done(_)) {
            return Err(contradiction(id, "has an outcome, and is done already"));
        }
        step.stage = match (result, direction) {
            (StepResult::Failed { error }, _) => Stage::Failed(error.clone()),
            _ if step.attempts == 0 => return Err(contradiction(id, "has an outcome without an intent")),
            (StepResult::Done { facts }, Direction::Forward) | (StepResult::Compensated { facts }, Direction::Back) => {
                Stage::Done(facts.clone())
            }
            (StepResult::NotApplied, Direction::Forward) if self.status == RunStatus::Cancelling => Stage::NotApplied,
            _ => return Err(contradiction(id, "has an outcome of the other direction")),
        };
        self.steps.insert((id.clone(), direction), step);
        Ok(())
    }

    fn take_in(&mut self, entry: &JournalEntry) -> Result<(), Error> {
        match entry {
            JournalEntry::Intent { step, direction, nonce, attempt, .. } => {
                self.known(step)?;
                self.intend(step, *direction, *nonce, *attempt)
            }
            JournalEntry::Outcome { step, direction, result, .. } => {
                self.known(step)?;
                self.settle(step, *direction, result)
            }
            JournalEntry::RunCancelling { reason, .. } => {
                self.status = RunStatus::Cancelling;
                self.why_cancelled = Some(reason.clone());
                Ok(())
            }
            JournalEntry::RunClosed { result, .. } => {
                self.status = RunStatus::Closed(*result);
                Ok(())
            }
            JournalEntry::RunOpened { .. } | JournalEntry::DriverTaken { .. } | JournalEntry::Note { .. } => Ok(()),
        }
    }

    fn known(&self, id: &StepId) -> Result<(), Error> {
        self.plan.step(id).map(|_| ()).ok_or_else(|| contradiction(id, "is not in the plan"))
    }
}

fn contradiction(id: &StepId, what: &str) -> Error {
    Error::invalid("journal-contradiction", format!("step {id} {what}"))
}

/// Every run of a journal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Runs(BTreeMap<RunId, RunState>);

impl Runs {
    /// The state of the entry's run after the entry; none for entries that are about no run.
    pub(crate) fn after(&self, entry: &JournalEntry) -> Result<Option<(RunId, RunState)>, Error> {
        let Some(run) = entry.run() else { return Ok(None) };
        let refused = |what: &str| Err(Error::invalid("journal-contradiction", format!("run {run} {what}")));
        let state = match (entry, self.0.get(run)) {
            (JournalEntry::RunOpened { .. }, Some(_)) => return refused("is opened twice"),
            (JournalEntry::RunOpened { plan, digest, term, .. }, None) => {
                if plan.digest() != *digest {
                    return refused("is opened with another plan than its digest says");
                }
                RunState::opened(plan, *digest, term)
            }
            (_, None) => return refused("was never opened"),
            (_, Some(state)) if matches!(state.status, RunStatus::Closed(_)) => return refused("is closed"),
            (_, Some(state)) => {
                let mut state = state.clone();
                state.take_in(entry)?;
                state
            }
        };
        Ok(Some((run.clone(), state)))
    }

    pub(crate) fn take_in(&mut self, entry: &JournalEntry) -> Result<(), Error> {
        if let Some(next) = self.after(entry)? {
            self.put(next);
        }
        Ok(())
    }

    /// With the state that [`Runs::after`] gave.
    pub(crate) fn put(&mut self, (run, state): (RunId, RunState)) {
        self.0.insert(run, state);
    }

    pub(crate) fn get(&self, run: &RunId) -> Option<&RunState> {
        self.0.get(run)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&RunId, &RunState)> {
        self.0.iter()
    }

    /// Runs that are not closed, by id.
    pub(crate) fn open(&self) -> Vec<RunId> {
        let open =
            |(run, state): (&RunId, &RunState)| (!matches!(state.status, RunStatus::Closed(_))).then(|| run.clone());
        self.0.iter().filter_map(open).collect()
    }
}

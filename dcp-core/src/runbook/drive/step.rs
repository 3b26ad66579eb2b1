//! One step of a run: asks, writes the intent, acts, probes, writes the outcome.

use std::sync::Arc;
use std::time::Duration;

use super::{Done, Driver, decided_by_driving_again};
use crate::clock::Moment;
use crate::digest::Digest;
use crate::error::{Error, Failure};
use crate::ids::{RunId, StepId};
use crate::ports::failpoints::points;
use crate::ports::{StepAction, StepContext};
use crate::runbook::chain::ENTRY_TOO_LARGE;
use crate::runbook::decide::{self, Course, Move, Purpose};
use crate::runbook::entry::{JournalEntry, StepResult};
use crate::runbook::plan::{ActionCatalog, Step, UNDO_SUFFIX};
use crate::runbook::run::RunState;
use crate::runbook::turn::Held;

/// A probe that is asked at the deadline still gets this long to answer.
const LAST_PROBE: Duration = Duration::from_secs(5);

/// How work on a step ended.
pub(super) enum StepEnd {
    /// With an outcome other than a failure.
    Settled,
    /// Given up.
    Failed(Error),
    /// Told to stop; nothing is settled.
    Stopped,
}

/// What stays the same while one step is worked on.
struct Job<'a> {
    run: &'a RunId,
    id: &'a StepId,
    action: Arc<dyn StepAction>,
    context: StepContext,
    attempt: u32,
    held: &'a Held,
}

impl Driver {
    #[allow(clippy::too_many_arguments)] // Each is one fact that the caller's loop holds anyway.
    pub(super) async fn work(
        &self,
        run: &RunId,
        state: &RunState,
        step: &Step,
        purpose: Purpose,
        facts: Done,
        catalog: &dyn ActionCatalog,
        held: &Held,
    ) -> Result<StepEnd, Error> {
        let recorded = state.step(&step.id, purpose.direction());
        let nonce = (self.rules.nonce)(recorded.nonce, Digest::from_bytes(self.parts.entropy.draw()));
        let now = self.parts.clock.now();
        let (action, key) = bind(step, purpose, catalog)?;
        let context = StepContext::new(run.clone(), state.digest(), key, nonce, now).with_done(facts);
        let attempt = recorded.attempts.saturating_add(1);
        let mut job = Job { run, id: &step.id, action, context, attempt, held };
        let mut course = Course::new(step, purpose, now);
        let mut next = match purpose {
            Purpose::Prove => Move::Probe(now),
            Purpose::Do | Purpose::Undo => (self.rules.begin)(&recorded, now),
        };
        loop {
            next = match next {
                Move::Settle(result) => return self.settle(&job, purpose, result).await,
                Move::Intend => {
                    self.intend(&job, purpose).await?;
                    course.intended = true;
                    Move::Act(self.parts.clock.now())
                }
                Move::AskReady(at) => {
                    if !self.pause(&mut job, at).await {
                        return Ok(StepEnd::Stopped);
                    }
                    let asked = job.action.ready(&job.context);
                    let Some(answer) = self.answer(held, self.last_call(&course), asked).await else {
                        return Ok(StepEnd::Stopped);
                    };
                    (self.rules.after_ready)(&course, answer.unwrap_or_else(no_answer), self.parts.clock.now())
                }
                Move::Act(at) => {
                    if !self.pause(&mut job, at).await {
                        return Ok(StepEnd::Stopped);
                    }
                    let Some(answer) = self.answer(held, course.deadline, job.action.act(&job.context)).await else {
                        return Ok(StepEnd::Stopped);
                    };
                    let late = || Err(Failure::in_doubt("step-deadline", "no answer within the step's deadline"));
                    course = course.acted(answer.unwrap_or_else(late));
                    self.parts.failpoints.pass(points::STEP_ACTED, job.context.step.as_str()).await;
                    Move::Probe(self.parts.clock.now())
                }
                Move::Probe(at) => {
                    if !self.pause(&mut job, at).await {
                        return Ok(StepEnd::Stopped);
                    }
                    let asked = job.action.took(&job.context);
                    let Some(answer) = self.answer(held, self.last_call(&course), asked).await else {
                        return Ok(StepEnd::Stopped);
                    };
                    decide::after_took(&course, answer.unwrap_or_else(no_answer), self.parts.clock.now())
                }
            };
        }
    }

    fn last_call(&self, course: &Course) -> Moment {
        course.deadline.max(self.parts.clock.now().after(LAST_PROBE))
    }

    // Waits until `at`; false if told to stop. The context's time is then.
    async fn pause(&self, job: &mut Job<'_>, at: Moment) -> bool {
        if self.parts.clock.now() < at {
            tokio::select! {
                biased;
                () = job.held.stopped() => return false,
                () = self.parts.clock.sleep_until(at) => {}
            }
        }
        job.context.now = self.parts.clock.now();
        !job.held.is_stopped()
    }

    // The answer; `Some(None)` if none came in time, `None` if told to stop.
    async fn answer<T>(&self, held: &Held, until: Moment, asked: impl Future<Output = T>) -> Option<Option<T>> {
        tokio::select! {
            biased;
            answer = asked => Some(Some(answer)),
            () = held.stopped() => None,
            () = self.parts.clock.sleep_until(until) => Some(None),
        }
    }

    async fn intend(&self, job: &Job<'_>, purpose: Purpose) -> Result<(), Error> {
        let intent = JournalEntry::Intent {
            run: job.run.clone(),
            step: job.id.clone(),
            direction: purpose.direction(),
            nonce: job.context.nonce,
            attempt: job.attempt,
        };
        self.append(intent).await.map_err(decided_by_driving_again)?;
        self.parts.failpoints.pass(points::STEP_INTENT, job.context.step.as_str()).await;
        Ok(())
    }

    async fn settle(&self, job: &Job<'_>, purpose: Purpose, result: StepResult) -> Result<StepEnd, Error> {
        let mut settled = match &result {
            StepResult::Failed { error } => StepEnd::Failed(error.clone()),
            StepResult::Done { .. } | StepResult::Compensated { .. } | StepResult::NotApplied => StepEnd::Settled,
        };
        match self.write_outcome(job, purpose, result).await {
            // It has acted and left more than the journal takes: the step's fault, and no driver's.
            Err(Failure::NotApplied(error)) if error.code() == ENTRY_TOO_LARGE => {
                let error = error.at(job.id);
                let failed = StepResult::Failed { error: error.clone() };
                self.write_outcome(job, purpose, failed).await.map_err(decided_by_driving_again)?;
                settled = StepEnd::Failed(error);
            }
            written => written.map_err(decided_by_driving_again)?,
        }
        self.parts.failpoints.pass(points::STEP_OUTCOME, job.context.step.as_str()).await;
        Ok(settled)
    }

    async fn write_outcome(&self, job: &Job<'_>, purpose: Purpose, result: StepResult) -> Result<(), Failure> {
        let (run, step, direction) = (job.run.clone(), job.id.clone(), purpose.direction());
        self.append(JournalEntry::Outcome { run, step, direction, result }).await
    }
}

fn bind(step: &Step, purpose: Purpose, catalog: &dyn ActionCatalog) -> Result<(Arc<dyn StepAction>, StepId), Error> {
    if purpose != Purpose::Undo {
        return Ok((catalog.bind(step).map_err(|error| error.at(&step.id))?, step.id.clone()));
    }
    let action = catalog.compensation(step).map_err(|error| error.at(&step.id))?.ok_or_else(|| {
        Error::invalid("no-compensation", format!("step {}: the catalog does not know its compensation", step.id))
    })?;
    Ok((action, StepId::new(format!("{}{UNDO_SUFFIX}", step.id))?))
}

fn no_answer<T>() -> Result<T, Error> {
    Err(Error::retry("probe-timeout", "no answer in time"))
}

//! What the driver does next. Pure: the journal's state, an answer and the time in, a move out.

use std::time::Duration;

use super::entry::{Direction, RunResult, StepResult};
use super::plan::Step;
use super::run::{RunState, RunStatus, Stage, StepState};
use crate::clock::Moment;
use crate::error::{Error, ErrorKind, Failure};
use crate::ports::{Readiness, Taken};

/// A pause between two attempts at acting grows up to this many times the step's poll.
const BACKOFF_MAX: u32 = 16;

/// What a run needs next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Work<'a> {
    /// Work on a step.
    Step(&'a Step, Purpose),
    /// Nothing is left: close the run.
    Close(RunResult),
    /// It has ended.
    Ended(RunResult),
}

/// Why a step is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Purpose {
    /// To do it.
    Do,
    /// To learn whether it acted, before the run goes back.
    Prove,
    /// To undo it.
    Undo,
}

impl Purpose {
    /// The direction in which the journal writes it.
    #[must_use]
    pub fn direction(self) -> Direction {
        match self {
            Self::Do | Self::Prove => Direction::Forward,
            Self::Undo => Direction::Back,
        }
    }
}

/// Decides what a run needs next.
pub(crate) fn next_work(run: &RunState) -> Work<'_> {
    match run.status() {
        RunStatus::Closed(result) => Work::Ended(result),
        RunStatus::Open => {
            let undone = |step: &&Step| !matches!(run.step(&step.id, Direction::Forward).stage, Stage::Done(_));
            let next = run.plan().steps().iter().find(undone);
            next.map_or(Work::Close(RunResult::Done), |step| Work::Step(step, Purpose::Do))
        }
        RunStatus::Cancelling => {
            let next = run.plan().steps().iter().rev().find_map(|step| Some(Work::Step(step, way_back(run, step)?)));
            next.unwrap_or(Work::Close(RunResult::Cancelled))
        }
    }
}

fn way_back(run: &RunState, step: &Step) -> Option<Purpose> {
    let forward = run.step(&step.id, Direction::Forward);
    match forward.stage {
        Stage::Done(_) => {
            let undone = matches!(run.step(&step.id, Direction::Back).stage, Stage::Done(_));
            (step.compensation.is_some() && !undone).then_some(Purpose::Undo)
        }
        Stage::Untouched | Stage::Failed(_) | Stage::Intended | Stage::NotApplied => {
            forward.may_have_acted().then_some(Purpose::Prove)
        }
    }
}

/// A step's course through one drive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Course {
    /// Why it is worked on.
    pub purpose: Purpose,
    /// When it is given up, on the driver's clock.
    pub deadline: Moment,
    /// Between two probes.
    pub poll: Duration,
    /// Whether this drive has written its intent.
    pub intended: bool,
    /// How often this drive has acted.
    pub acts: u32,
    /// How the last act of this drive failed, if it did.
    pub failure: Option<Failure>,
}

impl Course {
    /// A step that is begun or resumed now.
    #[must_use]
    pub fn new(step: &Step, purpose: Purpose, now: Moment) -> Self {
        Self { purpose, deadline: now.after(step.deadline), poll: step.poll, intended: false, acts: 0, failure: None }
    }

    /// The same after an act.
    #[must_use]
    pub fn acted(mut self, answer: Result<(), Failure>) -> Self {
        self.acts = self.acts.saturating_add(1);
        self.failure = answer.err();
        self
    }

    fn backoff(&self) -> Duration {
        self.poll * 2_u32.saturating_pow(self.acts.saturating_sub(1)).min(BACKOFF_MAX)
    }
}

/// What the driver does next with a step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Move {
    /// Asks the precondition, not before this time.
    AskReady(Moment),
    /// Writes the intent, then acts.
    Intend,
    /// Acts again, not before this time.
    Act(Moment),
    /// Asks the postcondition, not before this time.
    Probe(Moment),
    /// Writes the outcome.
    Settle(StepResult),
}

/// How a step is begun: one that may have acted is probed first.
#[must_use]
pub(crate) fn begin(state: &StepState, now: Moment) -> Move {
    if state.may_have_acted() { Move::Probe(now) } else { Move::AskReady(now) }
}

/// What follows from the precondition's answer.
#[must_use]
pub(crate) fn after_ready(course: &Course, answer: Result<Readiness, Error>, now: Moment) -> Move {
    match answer {
        Ok(Readiness::Ready) if course.intended => Move::Act(now),
        Ok(Readiness::Ready) => Move::Intend,
        Ok(Readiness::NotYet(reason)) => later(course, now, course.poll, Move::AskReady, "not ready", &reason),
        Ok(Readiness::Refused(rule)) => failed(Error::refused("precondition", rule)),
        Err(error) if error.kind() == ErrorKind::Retry => {
            later(course, now, course.poll, Move::AskReady, "its precondition cannot be read", &error.to_string())
        }
        Err(error) => failed(error),
    }
}

/// What follows from the postcondition's answer.
#[must_use]
pub(crate) fn after_took(course: &Course, answer: Result<Taken, Error>, now: Moment) -> Move {
    match answer {
        Ok(Taken::Yes(facts)) if course.purpose == Purpose::Undo => Move::Settle(StepResult::Compensated { facts }),
        Ok(Taken::Yes(facts)) => Move::Settle(StepResult::Done { facts }),
        Ok(Taken::No) => not_there(course, now),
        Ok(Taken::NotYet(reason)) => later(course, now, course.poll, Move::Probe, "under way", &reason),
        Err(error) if error.kind() == ErrorKind::Retry => {
            later(course, now, course.poll, Move::Probe, "its effect cannot be read", &error.to_string())
        }
        Err(error) => failed(error),
    }
}

fn not_there(course: &Course, now: Moment) -> Move {
    if course.purpose == Purpose::Prove {
        return Move::Settle(StepResult::NotApplied);
    }
    if course.acts == 0 {
        // Resumed: the precondition may have changed since the intent was written.
        return Move::AskReady(now);
    }
    match &course.failure {
        Some(Failure::NotApplied(error)) => match error.kind() {
            ErrorKind::Retry => later(course, now, course.backoff(), Move::Act, "not applied", &error.to_string()),
            ErrorKind::Conflict => {
                later(course, now, course.backoff(), Move::AskReady, "not applied", &error.to_string())
            }
            ErrorKind::Fenced | ErrorKind::Refused | ErrorKind::Invalid | ErrorKind::Corrupt | ErrorKind::Stopped => {
                failed(error.clone())
            }
        },
        Some(Failure::InDoubt(doubt)) => {
            later(course, now, course.backoff(), Move::Act, "proved not to be there", &doubt.to_string())
        }
        None => later(course, now, course.backoff(), Move::Act, "it acted", "its effect is not there"),
    }
}

fn later(course: &Course, now: Moment, pause: Duration, again: fn(Moment) -> Move, state: &str, reason: &str) -> Move {
    let at = now.after(pause);
    if at <= course.deadline {
        return again(at);
    }
    // What certainly did not happen, for a reason that stays, says more than the deadline.
    match &course.failure {
        Some(Failure::NotApplied(error)) if !matches!(error.kind(), ErrorKind::Retry | ErrorKind::Conflict) => {
            failed(error.clone())
        }
        _ => failed(Error::retry("step-deadline", format!("the deadline has passed; {state}: {reason}"))),
    }
}

fn failed(error: Error) -> Move {
    Move::Settle(StepResult::Failed { error })
}

#[cfg(test)]
mod tests;

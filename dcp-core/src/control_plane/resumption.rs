//! What becomes of a run that is found open. Pure.

use crate::digest::Digest;
use crate::error::{Error, ErrorKind};
use crate::runbook::{Direction, RunState, RunStatus, Stage};

/// What a plane does by itself with a run that it finds open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resumption {
    /// Goes on with it.
    Forward,
    /// Goes on undoing it.
    Back,
    /// Begins to undo it: a rule has refused it, and nothing irreversible was done.
    TurnBack(String),
    /// Leaves it to an operator: what failed last week must not go on by itself after a restart.
    Leave,
}

pub(super) fn resumption(state: &RunState) -> Resumption {
    match (state.status(), failure(state)) {
        (RunStatus::Closed(_), _) => Resumption::Leave,
        (RunStatus::Cancelling, _) => Resumption::Back,
        (RunStatus::Open, None) => Resumption::Forward,
        (RunStatus::Open, Some(error)) if error.kind() == ErrorKind::Refused && state.irreversible().is_none() => {
            Resumption::TurnBack(refused(error))
        }
        (RunStatus::Open, Some(_)) => Resumption::Leave,
    }
}

/// Whether an order whose plan has this digest goes on with the run. One that only goes back is never
/// what was ordered, and what a rule has refused, or what has moved on since the run's first steps,
/// stays so for the run.
pub(super) fn takes_up(state: &RunState, plan: &Digest) -> bool {
    let over = |error: &Error| matches!(error.kind(), ErrorKind::Refused | ErrorKind::Conflict | ErrorKind::Fenced);
    state.status() == RunStatus::Open && state.digest() == *plan && !failure(state).is_some_and(over)
}

/// Why a run that was refused is undone.
pub(super) fn refused(error: &Error) -> String {
    format!("refused: {}", error.message())
}

fn failure(state: &RunState) -> Option<&Error> {
    state.plan().steps().iter().find_map(|step| match state.stage(&step.id, Direction::Forward) {
        Some(Stage::Failed(error)) => Some(error),
        _ => None,
    })
}

#[cfg(test)]
mod tests;

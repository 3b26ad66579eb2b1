//! What a journal says.

use serde::{Deserialize, Serialize};

use super::plan::Plan;
use crate::clock::Moment;
use crate::digest::Digest;
use crate::error::Error;
use crate::fence::Term;
use crate::ids::{RunId, StepId};
use crate::ports::Facts;

/// Whether a step is done or undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Direction {
    /// The step's action.
    Forward,
    /// Its compensation.
    Back,
}

/// How an attempt at a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum StepResult {
    /// The effect was proved to be there.
    Done {
        /// What the step leaves to later ones and to the auditor.
        facts: Facts,
    },
    /// The step was given up; the run stays open and may be driven again.
    Failed {
        /// Why.
        error: Error,
    },
    /// The compensation was proved to be there.
    Compensated {
        /// What it leaves.
        facts: Facts,
    },
    /// A step that had been intended was proved not to have acted, while the run was cancelled.
    NotApplied,
}

/// How a run was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum RunResult {
    /// Every step is done.
    Done,
    /// Cancelled, and every step that was done is undone.
    Cancelled,
    /// Another plan has taken its place; its steps stay as they are.
    Superseded,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum JournalEntry {
    /// A driver took the lease; only it appends from here on.
    DriverTaken {
        /// Its term.
        term: Term,
    },
    /// A run was opened with its whole plan, which stays pinned.
    RunOpened {
        /// The run.
        run: RunId,
        /// The plan.
        plan: Plan,
        /// The plan's digest.
        digest: Digest,
        /// The term that opened it.
        term: Term,
    },
    /// A step is about to act.
    Intent {
        /// The run.
        run: RunId,
        /// The step.
        step: StepId,
        /// Whether it is done or undone.
        direction: Direction,
        /// Drawn once per step and direction; the same in every attempt.
        nonce: Digest,
        /// How often it was intended, from 1. Retries within one drive are not counted.
        attempt: u32,
    },
    /// An attempt ended. Signed.
    Outcome {
        /// The run.
        run: RunId,
        /// The step.
        step: StepId,
        /// Whether it was done or undone.
        direction: Direction,
        /// How it ended.
        result: StepResult,
    },
    /// A run is being cancelled: from here on it only goes back.
    RunCancelling {
        /// The run.
        run: RunId,
        /// Why, in the operator's words.
        reason: String,
    },
    /// A run ended. Signed.
    RunClosed {
        /// The run.
        run: RunId,
        /// How.
        result: RunResult,
    },
    /// A free fact: a break-glass call, leadership taken, an alert, an anchor.
    Note {
        /// What kind of fact.
        name: String,
        /// The facts.
        facts: Facts,
    },
}

impl JournalEntry {
    /// Whether an entry of this kind signs the head that it makes.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        matches!(self, Self::Outcome { .. } | Self::RunClosed { .. })
    }

    /// The run that it is about, if it is about one.
    #[must_use]
    pub fn run(&self) -> Option<&RunId> {
        match self {
            Self::RunOpened { run, .. }
            | Self::Intent { run, .. }
            | Self::Outcome { run, .. }
            | Self::RunCancelling { run, .. }
            | Self::RunClosed { run, .. } => Some(run),
            Self::DriverTaken { .. } | Self::Note { .. } => None,
        }
    }
}

/// An entry and when it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::exhaustive_structs)]
pub struct Record {
    /// On the clock of the driver that wrote it; comparable only within one driver's life.
    pub at: Moment,
    /// What happened.
    pub entry: JournalEntry,
}

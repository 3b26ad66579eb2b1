//! The driver's rules as a table of functions, so that a planted defect can replace one of them.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::{self, Course, Move};
use super::run::{RunState, StepState};
use crate::clock::Moment;
use crate::digest::Digest;
use crate::error::Error;
use crate::ids::StepId;
use crate::ports::{Facts, Readiness};

/// The rules that the clauses of the journal's contract demand of a driver.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::exhaustive_structs)]
pub struct Rules {
    /// How a step is begun.
    pub begin: fn(&StepState, Moment) -> Move,
    /// What follows from the precondition's answer.
    pub after_ready: fn(&Course, Result<Readiness, Error>, Moment) -> Move,
    /// The nonce of an intent: the pinned one if there is one, else the drawn one.
    pub nonce: fn(Option<Digest>, Digest) -> Digest,
    /// The facts handed to a step, given the steps that this drive has done.
    pub facts: fn(&RunState, &BTreeSet<StepId>) -> BTreeMap<StepId, Facts>,
    /// Whether the offered plan is the pinned one.
    pub same_plan: fn(&Digest, &Digest) -> bool,
}

impl Rules {
    /// The rules that keep the contract.
    #[must_use]
    pub fn kept() -> Self {
        Self {
            begin: decide::begin,
            after_ready: decide::after_ready,
            nonce: |pinned, drawn| pinned.unwrap_or(drawn),
            facts: |run, _| run.done(),
            same_plan: |pinned, offered| pinned == offered,
        }
    }
}

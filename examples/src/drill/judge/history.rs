//! Who owned what, from the witness, and what the planes did, from their journals.

use std::collections::BTreeMap;
use std::time::Duration;

use dcp_core::Error;
use dcp_core::ids::{RunId, SliceRef, StepId};
use dcp_core::ownership::{Evidence, Ownership};
use dcp_core::ports::Facts;
use dcp_core::runbook::{Direction, JournalEntry, Plan, Record, RunResult, StepResult};

use crate::orders::Home;

/// One ownership of a slice.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) epoch: u64,
    pub(super) owner: Home,
    /// The run that claimed it; none at genesis.
    pub(super) run: Option<RunId>,
    pub(super) evidence: Evidence,
}

impl Link {
    pub(super) fn of(ownership: &Ownership) -> Result<Self, Error> {
        Ok(Self {
            epoch: ownership.epoch.get(),
            owner: Home::of_region(&ownership.owner)?,
            run: ownership.claim.as_ref().map(|claim| claim.run.clone()),
            evidence: ownership.evidence.clone(),
        })
    }
}

/// The chain of each slice, oldest first.
pub(super) type Chains = BTreeMap<SliceRef, Vec<Link>>;

/// One change of owner: the ownership before and the one that followed.
pub(super) fn changes(chains: &Chains) -> impl Iterator<Item = (&SliceRef, &Link, &Link)> {
    chains.iter().flat_map(|(slice, chain)| {
        chain.windows(2).filter_map(move |pair| match pair {
            [before, after] => Some((slice, before, after)),
            _ => None,
        })
    })
}

/// One step of a run, as its region's journal has it. Times are those of `CLOCK_BOOTTIME`.
#[derive(Debug, Clone)]
pub(super) struct StepFact {
    pub(super) region: Home,
    pub(super) run: RunId,
    /// Kind of the plan.
    pub(super) plan: String,
    pub(super) step: String,
    pub(super) phase: u32,
    /// First intent.
    pub(super) begun_ns: u64,
    /// Last intent before the outcome.
    pub(super) intended_ns: u64,
    /// The outcome; for a step without one, its last entry.
    pub(super) ended_ns: u64,
    /// `done`, `failed`, `compensated`, `not-applied` or, without an outcome, `intended`.
    pub(super) outcome: &'static str,
    /// What a done step left.
    pub(super) facts: Facts,
}

impl StepFact {
    pub(super) fn is_done(&self) -> bool {
        self.outcome == "done"
    }

    /// From the first intent to the outcome.
    pub(super) fn took(&self) -> Duration {
        Duration::from_nanos(self.ended_ns.saturating_sub(self.begun_ns))
    }
}

/// What one journal says.
#[derive(Debug, Clone, Default)]
pub(super) struct Story {
    /// Steps in the order in which they were begun.
    pub(super) steps: Vec<StepFact>,
    /// Kind of plan and how it was closed, by run.
    pub(super) runs: BTreeMap<RunId, (String, Option<RunResult>)>,
}

impl Story {
    /// A done step of a run.
    pub(super) fn done(&self, run: &RunId, step: &str) -> Option<&StepFact> {
        self.steps.iter().find(|fact| fact.run == *run && fact.step == step && fact.is_done())
    }

    /// Whether a run of this kind of plan was closed as done.
    pub(super) fn completed(&self, plan: &str) -> bool {
        self.runs.values().any(|(kind, result)| kind == plan && *result == Some(RunResult::Done))
    }

    /// Both journals as one, in order of time.
    pub(super) fn merged(stories: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for story in stories {
            all.steps.extend(story.steps);
            all.runs.extend(story.runs);
        }
        all.steps.sort_by_key(|fact| fact.begun_ns);
        all
    }

    /// Reads a journal's entries.
    pub(super) fn of(region: Home, records: &[Record]) -> Self {
        let mut reading =
            Reading { region, plans: BTreeMap::new(), last: 0, open: BTreeMap::new(), story: Self::default() };
        for record in records {
            reading.take(record);
        }
        let Reading { open, mut story, .. } = reading;
        story.steps.extend(open.into_values());
        story.steps.sort_by_key(|fact| fact.begun_ns);
        story
    }
}

struct Reading {
    region: Home,
    plans: BTreeMap<RunId, Plan>,
    // When the entry before was written.
    last: u64,
    // Steps that were intended and have no outcome yet.
    open: BTreeMap<(RunId, StepId, Direction), StepFact>,
    story: Story,
}

impl Reading {
    fn take(&mut self, record: &Record) {
        let at = record.at.as_nanos();
        match &record.entry {
            JournalEntry::RunOpened { run, plan, .. } => {
                self.story.runs.insert(run.clone(), (plan.kind().to_owned(), None));
                self.plans.insert(run.clone(), plan.clone());
            }
            JournalEntry::RunClosed { run, result } => {
                if let Some((_, closed)) = self.story.runs.get_mut(run) {
                    *closed = Some(*result);
                }
            }
            JournalEntry::Intent { run, step, direction, .. } => {
                let new = self.step(run, step, *direction, at);
                let key = (run.clone(), step.clone(), *direction);
                let fact = self.open.entry(key).or_insert(new);
                (fact.intended_ns, fact.ended_ns) = (at, at);
            }
            JournalEntry::Outcome { run, step, direction, result } => {
                let key = (run.clone(), step.clone(), *direction);
                // A step that never became ready has an outcome and no intent.
                let last = self.last;
                let mut fact = self.open.remove(&key).unwrap_or_else(|| self.step(run, step, *direction, last));
                fact.ended_ns = at;
                (fact.outcome, fact.facts) = outcome_of(result);
                self.story.steps.push(fact);
            }
            _ => {}
        }
        self.last = at;
    }

    fn step(&self, run: &RunId, step: &StepId, direction: Direction, at: u64) -> StepFact {
        let plan = self.plans.get(run);
        let suffix = if direction == Direction::Back { dcp_core::runbook::UNDO_SUFFIX } else { "" };
        StepFact {
            region: self.region,
            run: run.clone(),
            plan: plan.map(|plan| plan.kind().to_owned()).unwrap_or_default(),
            step: format!("{step}{suffix}"),
            phase: plan.and_then(|plan| plan.step(step)).map_or(0, |step| step.phase),
            begun_ns: at,
            intended_ns: at,
            ended_ns: at,
            outcome: "intended",
            facts: Facts::new(),
        }
    }
}

fn outcome_of(result: &StepResult) -> (&'static str, Facts) {
    match result {
        StepResult::Done { facts } => ("done", facts.clone()),
        StepResult::Failed { .. } => ("failed", Facts::new()),
        StepResult::Compensated { facts } => ("compensated", facts.clone()),
        StepResult::NotApplied => ("not-applied", Facts::new()),
    }
}

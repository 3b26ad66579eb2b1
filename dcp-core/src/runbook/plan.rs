//! Plans: steps as data, and the catalog that binds them to actions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::{Error, Failure};
use crate::ids::{RunId, StepId};
use crate::ports::{Facts, StepAction};

/// Most steps of one plan.
pub const STEPS_MAX: usize = 256;
/// Largest plan, in bytes of its JSON.
pub const PLAN_MAX_BYTES: usize = 256 << 10;
/// Longest deadline of a step.
pub const DEADLINE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Ends the operation key of a step's compensation; no step's own id may end in it.
pub const UNDO_SUFFIX: &str = ".undo";

/// The kind of plan that takes over from a lost region; a full journal still has room for it.
pub const TAKEOVER: &str = "blackout";

/// One action of a plan, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Step {
    /// Unique within the plan.
    pub id: StepId,
    /// The phase of the runbook that it belongs to; never goes down from step to step.
    pub phase: u32,
    /// Which action of the catalog.
    pub action: String,
    /// What the action is told.
    pub arguments: serde_json::Value,
    /// How long the step may take, from when the driver begins or resumes it. Whole milliseconds.
    #[serde(rename = "deadline_ms", with = "milliseconds")]
    pub deadline: Duration,
    /// How long between two probes. Whole milliseconds.
    #[serde(rename = "poll_ms", with = "milliseconds")]
    pub poll: Duration,
    /// Once this step may have acted, the run can no longer be cancelled.
    pub irreversible: bool,
    /// Which action of the catalog undoes it; none if there is nothing to undo.
    pub compensation: Option<String>,
}

impl Step {
    /// A step without arguments and compensation, with a deadline of 60 s, probed each 100 ms.
    #[must_use]
    pub fn new(id: StepId, phase: u32, action: impl Into<String>) -> Self {
        Self {
            id,
            phase,
            action: action.into(),
            arguments: serde_json::Value::Null,
            deadline: Duration::from_secs(60),
            poll: Duration::from_millis(100),
            irreversible: false,
            compensation: None,
        }
    }

    /// With arguments for the action.
    #[must_use]
    pub fn with_arguments(mut self, arguments: serde_json::Value) -> Self {
        self.arguments = arguments;
        self
    }

    /// With another deadline.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// With another time between probes.
    #[must_use]
    pub fn with_poll(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }

    /// Marked as not to be undone.
    #[must_use]
    pub fn irreversible(mut self) -> Self {
        self.irreversible = true;
        self
    }

    /// With the action that undoes it.
    #[must_use]
    pub fn with_compensation(mut self, action: impl Into<String>) -> Self {
        self.compensation = Some(action.into());
        self
    }

    fn check(&self) -> Result<(), Error> {
        let bad = |rule: &str| Err(Error::invalid("bad-step", format!("step {}: {rule}", self.id)));
        let millis = |duration: Duration| Duration::from_millis(duration.as_millis().try_into().unwrap_or(u64::MAX));
        if self.action.is_empty() || self.compensation.as_deref() == Some("") {
            return bad("an action's name is empty");
        }
        if self.id.as_str().ends_with(UNDO_SUFFIX) || self.id.as_str().len() > 128 {
            return bad("an id has at most 128 bytes and does not end in `.undo`");
        }
        if self.deadline.is_zero() || self.deadline > DEADLINE_MAX || self.deadline != millis(self.deadline) {
            return bad("a deadline is 1 ms to 7 days, in whole milliseconds");
        }
        if self.poll.is_zero() || self.poll > self.deadline || self.poll != millis(self.poll) {
            return bad("the time between probes is 1 ms to the deadline, in whole milliseconds");
        }
        if self.irreversible && self.compensation.is_some() {
            return bad("an irreversible step has no compensation");
        }
        Ok(())
    }
}

/// Steps in order, what they are for, and on what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Plan {
    kind: String,
    subject: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    kind: String,
    subject: String,
    steps: Vec<Step>,
}

impl TryFrom<Unchecked> for Plan {
    type Error = Error;
    fn try_from(plan: Unchecked) -> Result<Self, Error> {
        Self::new(plan.kind, plan.subject, plan.steps)
    }
}

impl Plan {
    /// Checks and takes a plan.
    ///
    /// # Errors
    /// `Invalid` with the step and the rule: 1 to [`STEPS_MAX`] steps of distinct ids in rising
    /// phases, deadlines and probes in their bounds, at most [`PLAN_MAX_BYTES`] of JSON that reads
    /// back as the same bytes.
    pub fn new(kind: impl Into<String>, subject: impl Into<String>, steps: Vec<Step>) -> Result<Self, Error> {
        let plan = Self { kind: kind.into(), subject: subject.into(), steps };
        if plan.kind.is_empty() || plan.steps.is_empty() || plan.steps.len() > STEPS_MAX {
            return Err(Error::invalid("bad-plan", format!("a plan has a kind and 1 to {STEPS_MAX} steps")));
        }
        let mut seen = BTreeSet::new();
        let mut phase = 0;
        for step in &plan.steps {
            step.check()?;
            if !seen.insert(&step.id) {
                return Err(Error::invalid("bad-step", format!("step {}: the id occurs twice", step.id)));
            }
            if step.phase < phase {
                return Err(Error::invalid(
                    "bad-step",
                    format!("step {}: phase {} after {phase}", step.id, step.phase),
                ));
            }
            phase = step.phase;
        }
        plan.check_bytes()?;
        Ok(plan)
    }

    // The digest is over these bytes, and the plan is read back from a journal: a number that JSON
    // does not carry exactly would change the digest.
    fn check_bytes(&self) -> Result<(), Error> {
        let written = self.to_json();
        if written.len() > PLAN_MAX_BYTES {
            return Err(Error::invalid("plan-too-large", format!("{} bytes, at most {PLAN_MAX_BYTES}", written.len())));
        }
        for step in &self.steps {
            let text = step.arguments.to_string();
            let again = serde_json::from_str::<serde_json::Value>(&text).map(|value| value.to_string());
            if again.ok().as_deref() != Some(text.as_str()) {
                return Err(Error::invalid(
                    "bad-step",
                    format!("step {}: its arguments change when read back", step.id),
                ));
            }
        }
        Ok(())
    }

    /// What kind of plan, such as `blackout`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// On what, such as the lost region.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The steps in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// A step by id.
    #[must_use]
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.steps.iter().find(|step| &step.id == id)
    }

    /// The JSON over which the digest is taken.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists only, with text as keys: cannot fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// SHA-256 of [`Plan::to_json`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_json().as_bytes())
    }
}

/// Binds steps, which are data, to actions, which are code.
#[async_trait]
pub trait ActionCatalog: fmt::Debug + Send + Sync + 'static {
    /// The action of a step.
    ///
    /// # Errors
    /// `Invalid` for an action that the catalog does not know or arguments that it does not take.
    fn bind(&self, step: &Step) -> Result<Arc<dyn StepAction>, Error>;

    /// The action that undoes a step; none if its [`Step::compensation`] is none.
    ///
    /// It is asked with the operation key `<step>.undo` and finds the step's facts in the context.
    ///
    /// # Errors
    /// `Invalid` as for [`ActionCatalog::bind`].
    fn compensation(&self, step: &Step) -> Result<Option<Arc<dyn StepAction>>, Error>;

    /// Called each time that a run is begun or resumed, before anything is probed or acted on: the
    /// place to seal the guards again at the present token. Idempotent.
    ///
    /// # Errors
    /// Either kind of failure ends the drive; nothing is written, and driving again calls it again.
    async fn prepare(&self, run: &RunId, done: &BTreeMap<StepId, Facts>) -> Result<(), Failure> {
        let _ = (run, done);
        Ok(())
    }
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests;

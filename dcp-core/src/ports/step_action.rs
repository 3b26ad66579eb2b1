//! A step of a plan: what recovery does, one action at a time.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::digest::Digest;
use crate::error::{Error, Failure};
use crate::ids::{RunId, StepId};
use crate::operation::OperationKey;

/// Facts that a step leaves in the journal, for later steps and for the auditor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facts(BTreeMap<String, serde_json::Value>);

impl Facts {
    /// No facts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more fact.
    ///
    /// # Errors
    /// `Invalid` if it cannot be written as JSON.
    pub fn with<T: Serialize>(mut self, name: &str, fact: &T) -> Result<Self, Error> {
        let value = serde_json::to_value(fact)
            .map_err(|cause| Error::invalid("unwritable-fact", format!("{name}: {cause}")))?;
        self.0.insert(name.to_owned(), value);
        Ok(self)
    }

    /// A fact by name.
    ///
    /// # Errors
    /// `Corrupt` if it is missing or of another shape: the journal was written by other code.
    pub fn get<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        let value = self
            .0
            .get(name)
            .ok_or_else(|| Error::corrupt("missing-fact", format!("the journal has no fact {name:?}")))?;
        serde_json::from_value(value.clone())
            .map_err(|cause| Error::corrupt("bad-fact", format!("fact {name:?}: {cause}")))
    }

    /// All facts.
    #[must_use]
    pub fn as_map(&self) -> &BTreeMap<String, serde_json::Value> {
        &self.0
    }
}

/// What a step knows of its run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepContext {
    /// The run.
    pub run: RunId,
    /// Digest of the run's plan.
    pub plan: Digest,
    /// The step.
    pub step: StepId,
    /// A nonce drawn for this run and step, journalled with the intent.
    pub nonce: Digest,
    /// When the step is asked.
    pub now: Moment,
    /// Facts of the steps that are done, by step.
    pub done: BTreeMap<StepId, Facts>,
}

impl StepContext {
    /// Context of one step.
    #[must_use]
    pub fn new(run: RunId, plan: Digest, step: StepId, nonce: Digest, now: Moment) -> Self {
        Self { run, plan, step, nonce, now, done: BTreeMap::new() }
    }

    /// With the facts of the steps that are done.
    #[must_use]
    pub fn with_done(mut self, done: BTreeMap<StepId, Facts>) -> Self {
        self.done = done;
        self
    }

    /// The idempotency key.
    #[must_use]
    pub fn key(&self) -> OperationKey {
        OperationKey { run: self.run.clone(), step: self.step.clone() }
    }

    /// Facts of a step that is done.
    ///
    /// # Errors
    /// `Corrupt` if that step left none.
    pub fn facts_of(&self, step: &str) -> Result<&Facts, Error> {
        self.done
            .iter()
            .find_map(|(id, facts)| (id.as_str() == step).then_some(facts))
            .ok_or_else(|| Error::corrupt("missing-step", format!("{}: step {step:?} has left no facts", self.step)))
    }
}

/// What a precondition probe says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Readiness {
    /// The step may act.
    Ready,
    /// Not yet, with the reason; asked again until the step's deadline.
    NotYet(String),
    /// Never in this run, with the rule; the run fails here.
    Refused(String),
}

/// What a postcondition probe says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Taken {
    /// The effect is there; these facts go to the journal.
    Yes(Facts),
    /// It is certainly not there and nothing is under way: acting is right.
    No,
    /// Under way; asked again until the step's deadline.
    NotYet(String),
}

/// One action of a plan.
///
/// The driver asks `ready`, writes the intent, acts, asks `took` until it answers, and writes the
/// outcome. After a crash it asks `took` first and never blindly repeats.
#[async_trait]
pub trait StepAction: fmt::Debug + Send + Sync + 'static {
    /// Precondition probe: read-only, asked also by `check()`.
    ///
    /// # Errors
    /// `Retry` to be asked again; any other kind fails the step.
    async fn ready(&self, context: &StepContext) -> Result<Readiness, Error>;

    /// Acts. Idempotent by [`StepContext::key`].
    ///
    /// # Errors
    /// Either kind of failure; the driver asks `took` before it decides.
    async fn act(&self, context: &StepContext) -> Result<(), Failure>;

    /// Postcondition probe: read-only; recognises this run's own effect and nobody else's.
    ///
    /// # Errors
    /// `Retry` to be asked again; any other kind fails the step.
    async fn took(&self, context: &StepContext) -> Result<Taken, Error>;
}

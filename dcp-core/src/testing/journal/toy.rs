//! A toy plan on a world outside of the process that crashes: slots that steps place a mark in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::digest::Digest;
use crate::error::{Error, Failure};
use crate::ids::StepId;
use crate::operation::OperationKey;
use crate::ports::{Facts, Readiness, StepAction, StepContext, Taken};
use crate::runbook::{ActionCatalog, Plan, Step};

/// One effect on the world, as often as it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Effect {
    /// Under which key.
    pub key: OperationKey,
    /// Under which nonce.
    pub nonce: Digest,
    /// Which steps the actor knew to be done.
    pub done: Vec<StepId>,
}

#[derive(Debug, Default)]
struct Slots {
    marks: BTreeMap<String, Mark>,
    effects: Vec<Effect>,
    doubt: bool,
    by_key: bool,
}

// Who marked a slot; no key: another claimant.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    nonce: Digest,
    key: Option<OperationKey>,
}

/// What the toy steps act on. It outlives the driver's crashes.
///
/// It is not idempotent on purpose: acting twice shows.
#[derive(Debug, Default)]
pub struct ToyWorld(Mutex<Slots>);

impl ToyWorld {
    /// An empty world.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every effect, in order.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        self.slots().effects.clone()
    }

    /// Effects under a step's key.
    #[must_use]
    pub fn effects_of(&self, step: &str) -> Vec<Effect> {
        self.effects().into_iter().filter(|effect| effect.key.step.as_str() == step).collect()
    }

    /// The slots that hold a mark.
    #[must_use]
    pub fn marked(&self) -> Vec<String> {
        self.slots().marks.keys().cloned().collect()
    }

    /// Another claimant marks a slot; the next act is not applied and answers that it is in doubt.
    pub fn claim_by_another(&self, slot: &str) {
        let mut slots = self.slots();
        slots.marks.insert(slot.to_owned(), Mark { nonce: Digest::of(b"another claimant"), key: None });
        slots.doubt = true;
    }

    fn place(&self, slot: &str, context: &StepContext) -> Result<(), Failure> {
        let mut slots = self.slots();
        if std::mem::take(&mut slots.doubt) {
            return Err(Failure::in_doubt("no-answer", "the world did not answer"));
        }
        if slots.marks.get(slot).is_some_and(|mark| !slots.is_own(mark, context)) {
            return Err(Failure::NotApplied(Error::refused("slot-taken", format!("slot {slot} holds another's mark"))));
        }
        slots.marks.insert(slot.to_owned(), Mark { nonce: context.nonce, key: Some(context.key()) });
        slots.record(context);
        Ok(())
    }

    fn clear(&self, slot: &str, context: &StepContext) {
        let mut slots = self.slots();
        slots.marks.remove(slot);
        slots.record(context);
    }

    fn is_marked(&self, slot: &str) -> bool {
        self.slots().marks.contains_key(slot)
    }

    fn holds_own(&self, slot: &str, context: &StepContext) -> bool {
        let slots = self.slots();
        slots.marks.get(slot).is_some_and(|mark| slots.is_own(mark, context))
    }

    /// From now on a mark is known by its operation key and not by its nonce, so that a clause
    /// about repeating does not hang on the nonce.
    pub fn recognise_by_key(&self) {
        self.slots().by_key = true;
    }
}

impl Slots {
    fn is_own(&self, mark: &Mark, context: &StepContext) -> bool {
        if self.by_key { mark.key.as_ref() == Some(&context.key()) } else { mark.nonce == context.nonce }
    }

    fn record(&mut self, context: &StepContext) {
        let done = context.done.keys().cloned().collect();
        self.effects.push(Effect { key: context.key(), nonce: context.nonce, done });
    }
}

/// A plan that marks the slots `a`, `b`, ... in order, each undone by clearing it.
///
/// # Errors
/// `Invalid` for 0 or more than 26 slots.
pub fn toy_plan(slots: u8) -> Result<Plan, Error> {
    let step = |offset: u8| {
        let slot = char::from(b'a' + offset).to_string();
        Ok(Step::new(StepId::new(&slot)?, 1 + u32::from(offset), "place")
            .with_arguments(serde_json::json!({ "slot": slot }))
            .with_deadline(Duration::from_secs(20))
            .with_poll(Duration::from_millis(1))
            .with_compensation("clear"))
    };
    Plan::new("toy", "world", (0..slots.min(26)).map(step).collect::<Result<_, Error>>()?)
}

/// Binds the toy plan's steps.
#[derive(Debug)]
pub struct ToyCatalog {
    world: Arc<ToyWorld>,
    honest: Honesty,
}

/// How the toy actions behave; all but the first are planted defects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Honesty {
    /// As the contract demands.
    Honest,
    /// The probe takes any mark for its own.
    IgnoresNonce,
    /// Acts when it is asked whether it is ready.
    ActsEarly,
}

impl ToyCatalog {
    /// Actions on a world.
    #[must_use]
    pub fn new(world: Arc<ToyWorld>) -> Self {
        Self::behaving(world, Honesty::Honest)
    }

    pub(super) fn behaving(world: Arc<ToyWorld>, honest: Honesty) -> Self {
        Self { world, honest }
    }

    fn slot(step: &Step) -> Result<String, Error> {
        let slot = step.arguments.get("slot").and_then(|slot| slot.as_str());
        Ok(slot.ok_or_else(|| Error::invalid("no-slot", format!("step {}: names no slot", step.id)))?.to_owned())
    }
}

impl ActionCatalog for ToyCatalog {
    fn bind(&self, step: &Step) -> Result<Arc<dyn StepAction>, Error> {
        Ok(Arc::new(Place { world: Arc::clone(&self.world), slot: Self::slot(step)?, honest: self.honest }))
    }

    fn compensation(&self, step: &Step) -> Result<Option<Arc<dyn StepAction>>, Error> {
        Ok(Some(Arc::new(Clear { world: Arc::clone(&self.world), slot: Self::slot(step)? })))
    }
}

#[derive(Debug)]
struct Place {
    world: Arc<ToyWorld>,
    slot: String,
    honest: Honesty,
}

#[async_trait]
impl StepAction for Place {
    async fn ready(&self, context: &StepContext) -> Result<Readiness, Error> {
        if self.honest == Honesty::ActsEarly && !self.world.is_marked(&self.slot) {
            // The defect does not look at whether it took either.
            let _ = self.world.place(&self.slot, context);
        }
        Ok(Readiness::Ready)
    }

    async fn act(&self, context: &StepContext) -> Result<(), Failure> {
        if self.honest == Honesty::ActsEarly && self.world.holds_own(&self.slot, context) {
            return Ok(());
        }
        self.world.place(&self.slot, context)
    }

    async fn took(&self, context: &StepContext) -> Result<Taken, Error> {
        let own = match self.honest {
            Honesty::IgnoresNonce => self.world.is_marked(&self.slot),
            Honesty::Honest | Honesty::ActsEarly => self.world.holds_own(&self.slot, context),
        };
        if !own {
            return Ok(Taken::No);
        }
        Ok(Taken::Yes(Facts::new().with("slot", &self.slot)?))
    }
}

#[derive(Debug)]
struct Clear {
    world: Arc<ToyWorld>,
    slot: String,
}

#[async_trait]
impl StepAction for Clear {
    async fn ready(&self, _context: &StepContext) -> Result<Readiness, Error> {
        Ok(Readiness::Ready)
    }

    async fn act(&self, context: &StepContext) -> Result<(), Failure> {
        self.world.clear(&self.slot, context);
        Ok(())
    }

    async fn took(&self, _context: &StepContext) -> Result<Taken, Error> {
        Ok(if !self.world.is_marked(&self.slot) { Taken::Yes(Facts::new()) } else { Taken::No })
    }
}

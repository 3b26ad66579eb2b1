//! A plan done to a world, with a log of what was done and when.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::{Fault, FaultKind, FaultPlan};
use crate::clock::Clock;

/// Something that faults are done to.
#[async_trait]
pub trait World: Send {
    /// Does it, and returns once it is in effect.
    ///
    /// # Errors
    /// Why it had no effect, in words: the place is unknown, or dead already, or this world has no such fault.
    async fn strike(&mut self, kind: &FaultKind) -> Result<(), String>;
}

/// A fault that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Fired {
    /// The fault.
    pub fault: Fault,
    /// When it was in effect, from the beginning of the plan.
    pub done: Duration,
}

impl fmt::Display for Fired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (in effect at {}ms)", self.fault, self.done.as_millis())
    }
}

/// A fault that had no effect. Those after it were not tried.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct NotFired {
    /// Those before it.
    pub fired: Vec<Fired>,
    /// The fault.
    pub fault: Box<Fault>,
    /// Why not.
    pub why: String,
}

impl fmt::Display for NotFired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault {} of the plan, \"{}\", was not done: {}", self.fired.len() + 1, self.fault, self.why)
    }
}

impl std::error::Error for NotFired {}

/// Does each fault at its time. One that takes long delays those after it, which the log shows.
///
/// # Errors
/// [`NotFired`] for the first that had no effect. What was done before it stays done.
///
/// # Cancel safety
/// Dropping it leaves the world as hurt as it is then.
pub async fn run(plan: &FaultPlan, clock: &dyn Clock, world: &mut dyn World) -> Result<Vec<Fired>, NotFired> {
    let began = clock.now();
    let mut fired = Vec::new();
    for fault in plan.faults() {
        clock.sleep_until(began.after(fault.at)).await;
        if let Err(why) = world.strike(&fault.kind).await {
            return Err(NotFired { fired, fault: Box::new(fault.clone()), why });
        }
        fired.push(Fired { fault: fault.clone(), done: clock.now().since(began) });
    }
    Ok(fired)
}

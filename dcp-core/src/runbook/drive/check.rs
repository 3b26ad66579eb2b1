//! `check`: every precondition probe of a plan, read-only.

use std::time::Duration;

use super::{Driver, StepCheck};
use crate::digest::Digest;
use crate::error::Error;
use crate::ids::RunId;
use crate::ports::{Readiness, StepContext};
use crate::runbook::entry::Direction;
use crate::runbook::plan::{ActionCatalog, Plan, Step};
use crate::runbook::run::RunState;

/// How long one probe may take.
const PROBE: Duration = Duration::from_secs(5);

impl Driver {
    /// Asks the precondition of every step, in order, and writes nothing. For a run that the
    /// journal knows, the facts of its done steps are handed in; a step that needs facts which are
    /// not there yet says so by its error.
    ///
    /// # Errors
    /// As [`Journal::open`](crate::runbook::Journal::open); what a step answers is in the list.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn check(&self, run: &RunId, plan: &Plan, catalog: &dyn ActionCatalog) -> Result<Vec<StepCheck>, Error> {
        let state = self.journal.run(run).await?;
        let mut checks = Vec::with_capacity(plan.steps().len());
        for step in plan.steps() {
            let readiness = self.ask(run, plan, step, state.as_ref(), catalog).await;
            checks.push(StepCheck { step: step.id.clone(), readiness });
        }
        Ok(checks)
    }

    async fn ask(
        &self,
        run: &RunId,
        plan: &Plan,
        step: &Step,
        state: Option<&RunState>,
        catalog: &dyn ActionCatalog,
    ) -> Result<Readiness, Error> {
        let action = catalog.bind(step)?;
        // A check never acts, so that a nonce that nobody has drawn does no harm.
        let nonce = state.and_then(|state| state.step(&step.id, Direction::Forward).nonce).unwrap_or(Digest::ZERO);
        let now = self.parts.clock.now();
        let context = StepContext::new(run.clone(), plan.digest(), step.id.clone(), nonce, now)
            .with_done(state.map(RunState::done).unwrap_or_default());
        tokio::select! {
            biased;
            readiness = action.ready(&context) => readiness,
            () = self.parts.clock.sleep_until(now.after(PROBE)) => {
                Err(Error::retry("probe-timeout", format!("step {}: no answer within {PROBE:?}", step.id)))
            }
        }
    }
}

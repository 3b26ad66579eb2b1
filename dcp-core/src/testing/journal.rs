//! Conformance of the [`Journal`] and its driver over a state store: clauses J1 to J11.
//!
//! Implement [`JournalFixture`] for your state store and name the tests with
//! [`journal_conformance!`](crate::journal_conformance).

mod chain;
mod crash;
pub mod defects;
mod durability;
mod rig;
mod steps;
mod toy;

use std::sync::Arc;

use async_trait::async_trait;

use super::Clause;
use crate::error::Error;
use crate::ports::StateStore;
use crate::runbook::{ActionCatalog, ExportLine, Rules, Summary, verify_export};
use crate::signed::KeySet;

#[allow(unused_imports)] // Named in the documentation.
use crate::runbook::Journal;

pub use chain::{j3_changes_are_found, j6_outcomes_are_signed, j8_plans_are_pinned};
pub use crash::{CrashAt, CrashingStore, Moment as CrashMoment};
pub use durability::{
    j1_answers_survive_a_crash, j2_intents_come_first, j4_older_drivers_are_fenced, j7_the_old_journal_is_a_prefix,
};
pub use rig::{Rig, keys, signer, term};
pub use steps::{j5_intents_are_probed, j9_nonces_are_kept, j10_facts_are_handed_on, j11_probes_recognise_their_own};
pub use toy::{Effect, ToyCatalog, ToyWorld, toy_plan};

/// A state store under a journal: fresh, and able to crash.
///
/// The other parts are what the clauses judge; only a planted defect replaces them.
#[async_trait]
pub trait JournalFixture: Send + Sync + Sized + 'static {
    /// A fresh, empty store.
    async fn start() -> Self;

    /// The store. A clause never uses an earlier one after a crash.
    fn store(&self) -> Arc<dyn StateStore>;

    /// Kills the store, so that it loses whatever was not durable, and opens it again.
    async fn crash(&mut self);

    /// The driver's rules.
    fn rules(&self) -> Rules {
        Rules::kept()
    }

    /// The actions of the toy plan on a world.
    fn catalog(&self, world: &Arc<ToyWorld>) -> Arc<dyn ActionCatalog> {
        Arc::new(ToyCatalog::new(Arc::clone(world)))
    }

    /// Verifies an export.
    ///
    /// # Errors
    /// As [`verify_export`].
    fn verify(&self, lines: &[ExportLine], keys: &KeySet) -> Result<Summary, Error> {
        verify_export(lines, keys)
    }
}

/// The clauses, bound to a fixture.
#[must_use]
pub fn clauses<Fx: JournalFixture>() -> Vec<Clause> {
    vec![
        Clause {
            id: "J1",
            demands: "an answered append survives a crash",
            run: || Box::pin(j1_answers_survive_a_crash::<Fx>()),
        },
        Clause {
            id: "J2",
            demands: "an intent is durable before the step acts",
            run: || Box::pin(j2_intents_come_first::<Fx>()),
        },
        Clause {
            id: "J3",
            demands: "a changed, reordered, inserted, removed or cut entry is found",
            run: || Box::pin(j3_changes_are_found::<Fx>()),
        },
        Clause {
            id: "J4",
            demands: "a driver of an older term cannot append",
            run: || Box::pin(j4_older_drivers_are_fenced::<Fx>()),
        },
        Clause {
            id: "J5",
            demands: "an intent without outcome is probed, never blindly repeated",
            run: || Box::pin(j5_intents_are_probed::<Fx>()),
        },
        Clause {
            id: "J6",
            demands: "an outcome's signature verifies its head",
            run: || Box::pin(j6_outcomes_are_signed::<Fx>()),
        },
        Clause {
            id: "J7",
            demands: "the old journal is a prefix of the resumed one",
            run: || Box::pin(j7_the_old_journal_is_a_prefix::<Fx>()),
        },
        Clause { id: "J8", demands: "a run's plan is pinned", run: || Box::pin(j8_plans_are_pinned::<Fx>()) },
        Clause {
            id: "J9",
            demands: "a step's nonce survives crash and retry",
            run: || Box::pin(j9_nonces_are_kept::<Fx>()),
        },
        Clause {
            id: "J10",
            demands: "facts of done steps are handed on after a crash",
            run: || Box::pin(j10_facts_are_handed_on::<Fx>()),
        },
        Clause {
            id: "J11",
            demands: "a probe recognises the run's own effect and nobody else's",
            run: || Box::pin(j11_probes_recognise_their_own::<Fx>()),
        },
    ]
}

/// Names one test per clause of [`Journal`]: `journal_conformance!(memory, MemoryFixture)` gives
/// `memory::j1_answers_survive_a_crash` and so on. Needs tokio's `macros` feature in the crate that
/// calls it.
#[macro_export]
macro_rules! journal_conformance {
    ($name:ident, $fixture:ty) => {
        mod $name {
            use super::*;
            $crate::journal_conformance!(
                @tests $fixture;
                j1_answers_survive_a_crash
                j2_intents_come_first
                j3_changes_are_found
                j4_older_drivers_are_fenced
                j5_intents_are_probed
                j6_outcomes_are_signed
                j7_the_old_journal_is_a_prefix
                j8_plans_are_pinned
                j9_nonces_are_kept
                j10_facts_are_handed_on
                j11_probes_recognise_their_own
            );
        }
    };
    (@tests $fixture:ty; $($clause:ident)*) => {
        $(
            #[tokio::test]
            async fn $clause() -> Result<(), $crate::testing::Violation> {
                $crate::testing::journal::$clause::<$fixture>().await
            }
        )*
    };
}

//! Conformance of a [`StateStore`]: clauses S1 to S8.
//!
//! Implement [`StateStoreFixture`] for your store and name the tests with
//! [`state_store_conformance!`](crate::state_store_conformance).

mod bounds;
mod conditions;
mod durability;
mod reading;
mod steps;

use std::sync::Arc;

use async_trait::async_trait;

use crate::ports::state_store::StateStore;
use crate::testing::Clause;

pub use bounds::s8_bounds_are_kept;
pub use conditions::{s3_failed_conditions_write_nothing, s7_one_of_many_racers_wins};
pub use durability::{s2_commits_are_whole, s4_revisions_rise, s6_commits_survive_a_crash};
pub use reading::{s1_reads_see_answered_commits, s5_scans_are_complete};

/// A state store under test.
///
/// A clause never holds a client of before a crash after it.
#[async_trait]
pub trait StateStoreFixture: Send + Sized + 'static {
    /// A fresh, empty store.
    async fn start() -> Self;

    /// The store.
    fn store(&self) -> Arc<dyn StateStore>;

    /// Another client of the same store; where clients have no state of their own, the store.
    fn client(&self) -> Arc<dyn StateStore> {
        self.store()
    }

    /// Kills the store, so that it loses whatever was not durable, and opens it again.
    async fn crash(&mut self);
}

/// The clauses, bound to a fixture.
#[must_use]
pub fn clauses<Fx: StateStoreFixture>() -> Vec<Clause> {
    macro_rules! clause {
        ($id:literal, $clause:ident, $demands:literal) => {
            Clause { id: $id, demands: $demands, run: || Box::pin($clause::<Fx>()) }
        };
    }
    vec![
        clause!("S1", s1_reads_see_answered_commits, "a read after an answered commit sees it, from any client"),
        clause!("S2", s2_commits_are_whole, "a commit takes effect as a whole or not at all"),
        clause!("S3", s3_failed_conditions_write_nothing, "a commit whose conditions do not hold writes nothing"),
        clause!("S4", s4_revisions_rise, "revisions rise and are never shown twice"),
        clause!("S5", s5_scans_are_complete, "a scan is complete, in byte order, as of one moment"),
        clause!("S6", s6_commits_survive_a_crash, "an answered commit survives a crash"),
        clause!("S7", s7_one_of_many_racers_wins, "of racers on one condition at most one takes effect"),
        clause!("S8", s8_bounds_are_kept, "what is above the bounds is refused and writes nothing"),
    ]
}

/// Names one test per clause of [`StateStore`](crate::ports::StateStore):
/// `state_store_conformance!(memory, MemoryFixture)` gives `memory::s1_reads_see_answered_commits`
/// and so on. Needs tokio's `macros` feature in the crate that calls it.
#[macro_export]
macro_rules! state_store_conformance {
    ($name:ident, $fixture:ty) => {
        mod $name {
            use super::*;
            $crate::state_store_conformance!(
                @tests $fixture;
                s1_reads_see_answered_commits
                s2_commits_are_whole
                s3_failed_conditions_write_nothing
                s4_revisions_rise
                s5_scans_are_complete
                s6_commits_survive_a_crash
                s7_one_of_many_racers_wins
                s8_bounds_are_kept
            );
        }
    };
    (@tests $fixture:ty; $($clause:ident)*) => {
        $(
            #[tokio::test]
            async fn $clause() -> Result<(), $crate::testing::Violation> {
                $crate::testing::state_store::$clause::<$fixture>().await
            }
        )*
    };
}

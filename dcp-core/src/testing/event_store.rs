//! Conformance of an [`EventStore`]: clauses E1 to E16.
//!
//! Implement [`EventStoreFixture`] for your store and name the tests with
//! [`event_store_conformance!`](crate::event_store_conformance).

mod appending;
mod bounds;
mod durability;
mod fencing;
mod idempotency;
mod mirroring;
mod reading;
mod roles;
mod steps;

use std::sync::Arc;

use async_trait::async_trait;

use crate::ids::RegionId;
use crate::ports::event_store::EventStore;
use crate::testing::{Clause, fixtures};

pub use appending::{e1_appends_are_read_back, e2_versions_have_no_gaps, e3_expected_versions_are_kept};
pub use bounds::e16_bounds_are_kept;
pub use durability::{e5_batches_are_whole, e6_answers_survive_a_crash, e15_commit_sequence_rises};
pub use fencing::{e7_fence_is_durable, e8_second_writer_fences_the_first, e9_seal_drains};
pub use idempotency::e4_ids_are_appended_once;
pub use mirroring::e11_copies_are_written_as_they_are;
pub use reading::{e12_readers_miss_nothing, e13_foreign_positions_are_refused, e14_prefixes_are_recomputed};
pub use roles::e10_roles_write_their_own_logs;

/// An event store under test: fresh, of the region [`fixtures::west`].
///
/// A clause never holds a session or a store of an earlier [`EventStoreFixture::store`] across a
/// crash.
#[async_trait]
pub trait EventStoreFixture: Send + Sized + 'static {
    /// A fresh, empty store.
    async fn start() -> Self;

    /// The store.
    fn store(&self) -> Arc<dyn EventStore>;

    /// Kills the store, so that it loses whatever was not durable, and opens it again.
    async fn crash(&mut self);

    /// The region whose store it is.
    fn region(&self) -> RegionId {
        fixtures::west()
    }
}

/// The clauses, bound to a fixture.
#[must_use]
pub fn clauses<Fx: EventStoreFixture>() -> Vec<Clause> {
    macro_rules! clause {
        ($id:literal, $clause:ident, $demands:literal) => {
            Clause { id: $id, demands: $demands, run: || Box::pin($clause::<Fx>()) }
        };
    }
    vec![
        clause!("E1", e1_appends_are_read_back, "what append answered is read back"),
        clause!("E2", e2_versions_have_no_gaps, "versions count from 1 without gaps per log and stream"),
        clause!("E3", e3_expected_versions_are_kept, "an unexpected version is a conflict and writes nothing"),
        clause!("E4", e4_ids_are_appended_once, "an id is appended once per scope and partition"),
        clause!("E5", e5_batches_are_whole, "a batch is written whole with its cursor or not at all"),
        clause!("E6", e6_answers_survive_a_crash, "what was answered survives a crash"),
        clause!("E7", e7_fence_is_durable, "the fence is durable and refuses what is below it"),
        clause!("E8", e8_second_writer_fences_the_first, "a second writer fences the first"),
        clause!("E9", e9_seal_drains, "after a seal nothing below it lands"),
        clause!("E10", e10_roles_write_their_own_logs, "a writer opens only on the logs of its role"),
        clause!("E11", e11_copies_are_written_as_they_are, "a mirror writes what the source holds"),
        clause!("E12", e12_readers_miss_nothing, "readers neither miss nor repeat, also when cancelled"),
        clause!(
            "E13",
            e13_foreign_positions_are_refused,
            "positions of another incarnation or past the end are refused"
        ),
        clause!("E14", e14_prefixes_are_recomputed, "prefix digests are those that a reader computes"),
        clause!("E15", e15_commit_sequence_rises, "the commit sequence rises and never goes down"),
        clause!("E16", e16_bounds_are_kept, "what is above the bounds is refused and writes nothing"),
    ]
}

/// Names one test per clause of [`EventStore`](crate::ports::EventStore):
/// `event_store_conformance!(memory, MemoryFixture)` gives `memory::e1_appends_are_read_back` and
/// so on. Needs tokio's `macros` feature in the crate that calls it.
#[macro_export]
macro_rules! event_store_conformance {
    ($name:ident, $fixture:ty) => {
        mod $name {
            use super::*;
            $crate::event_store_conformance!(
                @tests $fixture;
                e1_appends_are_read_back
                e2_versions_have_no_gaps
                e3_expected_versions_are_kept
                e4_ids_are_appended_once
                e5_batches_are_whole
                e6_answers_survive_a_crash
                e7_fence_is_durable
                e8_second_writer_fences_the_first
                e9_seal_drains
                e10_roles_write_their_own_logs
                e11_copies_are_written_as_they_are
                e12_readers_miss_nothing
                e13_foreign_positions_are_refused
                e14_prefixes_are_recomputed
                e15_commit_sequence_rises
                e16_bounds_are_kept
            );
        }
    };
    (@tests $fixture:ty; $($clause:ident)*) => {
        $(
            #[tokio::test]
            async fn $clause() -> Result<(), $crate::testing::Violation> {
                $crate::testing::event_store::$clause::<$fixture>().await
            }
        )*
    };
}

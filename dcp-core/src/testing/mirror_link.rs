//! Conformance of a [`MirrorLink`]: clauses L1 to L10, on paused time.
//!
//! Implement [`MirrorLinkFixture`] for your link and name the tests with
//! [`mirror_link_conformance!`](crate::mirror_link_conformance). The stores on both sides are the
//! memory models, with faults between them and the link.

mod copying;
mod faults;
mod lag;
mod origins;
mod restart;
mod silence;
mod steering;
mod stopping;
mod world;

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Entropy, Moment};
use crate::error::{Error, Failure};
use crate::ids::{LinkId, RegionId};
use crate::log::LogId;
use crate::ports::event_store::{EventSource, EventStore};
use crate::ports::mirror_link::MirrorLink;
use crate::ports::state_store::StateStore;
use crate::testing::Clause;

pub use copying::{l1_mirror_is_a_prefix, l6_later_worker_fences_the_earlier};
pub use faults::{CopyFault, CopyPlan, FaultyLocal, FaultySource};
pub use lag::l7_silence_is_lag;
pub use origins::l9_foreign_origins_are_not_copied;
pub use restart::l2_goes_on_where_the_mirror_stands;
pub use silence::l10_waits_for_its_own_store;
pub use steering::{l3_paused_copies_nothing, l4_staging_ends_exactly, l8_lower_terms_are_fenced};
pub use stopping::l5_divergence_stops;
pub use world::{RunningLink, SOURCE_INCARNATION, World, link_id};

/// What a link under test is made of.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs)]
pub struct LinkParts {
    /// Its name.
    pub id: LinkId,
    /// The region to copy from.
    pub source_region: RegionId,
    /// The users' logs to copy; the link adds the companion log of each scope.
    pub logs: Vec<LogId>,
    /// The source region's store.
    pub source: Arc<dyn EventSource>,
    /// The store to copy into.
    pub local: Arc<dyn EventStore>,
    /// Holds what the link shall do.
    pub state: Arc<dyn StateStore>,
    /// The local clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// The work of a link, until its stop token is cancelled.
pub type LinkWorker = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A link and its work.
#[allow(clippy::exhaustive_structs)]
pub struct StartedLink {
    /// The link.
    pub link: Arc<dyn MirrorLink>,
    /// What copies; the clause runs it and may drop it at any moment.
    pub worker: LinkWorker,
}

impl fmt::Debug for StartedLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartedLink").field("link", &self.link).finish_non_exhaustive()
    }
}

/// A kind of link under test.
#[async_trait]
pub trait MirrorLinkFixture: Send + Sync + 'static {
    /// Makes a link of these parts; called again with the same parts after a crash.
    ///
    /// # Errors
    /// `Refused` for logs that the link does not copy.
    fn start(parts: LinkParts, stop: CancellationToken) -> Result<StartedLink, Error>;

    /// Writes one heartbeat per scope of these logs into the source region's own store, as that
    /// region does, while the region's own clock shows `source_now`.
    ///
    /// # Errors
    /// What the store says.
    async fn beat(source: Arc<dyn EventStore>, owned: BTreeSet<LogId>, source_now: Moment) -> Result<(), Failure>;
}

macro_rules! table {
    ($($id:literal $clause:ident $demands:literal)*) => {
        /// The clauses, bound to a fixture. They want a runtime with paused time.
        #[must_use]
        pub fn clauses<Fx: MirrorLinkFixture>() -> Vec<Clause> {
            vec![$(Clause { id: $id, demands: $demands, run: || Box::pin($clause::<Fx>()) }),*]
        }
    };
}

table! {
    "L1" l1_mirror_is_a_prefix "the mirror is a prefix of the source at every moment"
    "L2" l2_goes_on_where_the_mirror_stands "after a crash or an unknown outcome nothing is copied twice or skipped"
    "L3" l3_paused_copies_nothing "paused it copies nothing, also after a restart"
    "L4" l4_staging_ends_exactly "staging copies exactly to the named ends and says so"
    "L5" l5_divergence_stops "a source that does not fit stops the link, with both digests"
    "L6" l6_later_worker_fences_the_earlier "of two workers the later fences the earlier"
    "L7" l7_silence_is_lag "lag in seconds rises while nothing arrives, by the local clock"
    "L8" l8_lower_terms_are_fenced "a desire under a lower term is fenced, also after a restart"
    "L9" l9_foreign_origins_are_not_copied "only logs of the source region's origin are copied"
    "L10" l10_waits_for_its_own_store "a local store that does not answer for a while ends nothing"
}

/// Names one test per clause of [`MirrorLink`](crate::ports::MirrorLink):
/// `mirror_link_conformance!(store, StoreFixture)` gives `store::l1_mirror_is_a_prefix` and so on.
/// Needs tokio's `macros` and `test-util` features in the crate that calls it.
#[macro_export]
macro_rules! mirror_link_conformance {
    ($name:ident, $fixture:ty) => {
        mod $name {
            use super::*;
            $crate::mirror_link_conformance!(
                @tests $fixture;
                l1_mirror_is_a_prefix
                l2_goes_on_where_the_mirror_stands
                l3_paused_copies_nothing
                l4_staging_ends_exactly
                l5_divergence_stops
                l6_later_worker_fences_the_earlier
                l7_silence_is_lag
                l8_lower_terms_are_fenced
                l9_foreign_origins_are_not_copied
                l10_waits_for_its_own_store
            );
        }
    };
    (@tests $fixture:ty; $($clause:ident)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $clause() -> Result<(), $crate::testing::Violation> {
                $crate::testing::mirror_link::$clause::<$fixture>().await
            }
        )*
    };
}

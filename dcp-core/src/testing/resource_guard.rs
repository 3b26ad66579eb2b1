//! Conformance of a [`ResourceGuard`]: clauses G1 to G12.
//!
//! Implement [`ResourceGuardFixture`] for your guard and name the tests with
//! [`resource_guard_conformance!`](crate::resource_guard_conformance).

mod admission;
mod fencing;
mod lease;
mod rogue;
mod sealing;

use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::Moment;
use crate::error::{Error, Failure};
use crate::fence::FencingToken;
use crate::ids::{RegionId, SliceRef};
use crate::ownership::WriteGrant;
use crate::ports::ResourceGuard;
use crate::testing::fixtures::{self, TwoRegions};
use crate::testing::{Clause, Violation};

pub use admission::{g1_below_the_fence_is_refused, g11_elections_refuse_no_append, g12_starts_closed};
pub use fencing::{
    g2_fence_survives_a_crash, g3_fence_never_goes_down, g7_two_issuers_are_both_refused, g8_lower_revisions_are_told,
};
pub use lease::{g9_admits_only_under_a_lease, g10_confirms_only_under_a_lease};
pub use rogue::{g6_forged_tokens_change_nothing, rogue_keyring};
pub use sealing::{g4_seal_drains, g5_dropped_permits_block_the_seal};

/// A guard under test: of the region [`fixtures::west`], for slice `a` of [`fixtures::orders`],
/// vouched for by the keys of [`TwoRegions::new`].
#[async_trait]
pub trait ResourceGuardFixture: Send + Sync + Sized + 'static {
    /// A fresh guard at an empty resource; its lease is valid for ever.
    async fn start() -> Self;

    /// The guard.
    fn guard(&self) -> Arc<dyn ResourceGuard>;

    /// From now on the ownership lease is valid until then, for every epoch.
    fn lease_until(&self, until: Moment);

    /// Makes an effect ready under a grant, without asking the guard: it stands for one that was
    /// admitted and is under way.
    async fn prepare(&self, grant: &WriteGrant) -> Result<Box<dyn Underway>, Violation>;

    /// How many effects the resource really holds.
    async fn holds(&self) -> Result<u64, Violation>;

    /// Cuts the guard off from its resource, or joins them again.
    fn cut_resource(&self, cut: bool);

    /// Presents a token for a control operation on the resource, not for a seal.
    async fn attempt(&self, token: &FencingToken) -> Result<(), Error>;

    /// Kills the guard, so that it loses whatever was not durable, and starts it again.
    async fn crash(&mut self);
}

/// An effect under way.
#[async_trait]
pub trait Underway: Send {
    /// Reaches the resource, which may refuse it.
    async fn land(self: Box<Self>) -> Result<(), Failure>;
}

/// The clauses, bound to a fixture.
#[must_use]
pub fn clauses<Fx: ResourceGuardFixture>() -> Vec<Clause> {
    vec![
        Clause {
            id: "G1",
            demands: "what is below the fence is refused and not forwarded",
            run: || Box::pin(g1_below_the_fence_is_refused::<Fx>()),
        },
        Clause { id: "G2", demands: "the fence survives a crash", run: || Box::pin(g2_fence_survives_a_crash::<Fx>()) },
        Clause { id: "G3", demands: "the fence never goes down", run: || Box::pin(g3_fence_never_goes_down::<Fx>()) },
        Clause { id: "G4", demands: "a seal waits for what is in flight", run: || Box::pin(g4_seal_drains::<Fx>()) },
        Clause {
            id: "G5",
            demands: "a dropped permit blocks the seal until nothing of it can land",
            run: || Box::pin(g5_dropped_permits_block_the_seal::<Fx>()),
        },
        Clause {
            id: "G6",
            demands: "what was not signed by the treaty's keys changes nothing",
            run: || Box::pin(g6_forged_tokens_change_nothing::<Fx>()),
        },
        Clause {
            id: "G7",
            demands: "two issuers in one epoch are both refused",
            run: || Box::pin(g7_two_issuers_are_both_refused::<Fx>()),
        },
        Clause {
            id: "G8",
            demands: "a lower revision is stale on an attempt and regressed on a seal",
            run: || Box::pin(g8_lower_revisions_are_told::<Fx>()),
        },
        Clause {
            id: "G9",
            demands: "nothing is admitted without a valid lease",
            run: || Box::pin(g9_admits_only_under_a_lease::<Fx>()),
        },
        Clause {
            id: "G10",
            demands: "no effect is confirmed after its lease has run out",
            run: || Box::pin(g10_confirms_only_under_a_lease::<Fx>()),
        },
        Clause {
            id: "G11",
            demands: "an election refuses no append",
            run: || Box::pin(g11_elections_refuse_no_append::<Fx>()),
        },
        Clause { id: "G12", demands: "a guard starts closed", run: || Box::pin(g12_starts_closed::<Fx>()) },
    ]
}

/// Names one test per clause of [`ResourceGuard`]:
/// `resource_guard_conformance!(slice_guard, Fixture)` gives
/// `slice_guard::g1_below_the_fence_is_refused` and so on. Needs tokio's `macros` feature in the
/// crate that calls it.
#[macro_export]
macro_rules! resource_guard_conformance {
    ($name:ident, $fixture:ty) => {
        mod $name {
            use super::*;
            $crate::resource_guard_conformance!(
                @tests $fixture;
                g1_below_the_fence_is_refused
                g2_fence_survives_a_crash
                g3_fence_never_goes_down
                g4_seal_drains
                g5_dropped_permits_block_the_seal
                g6_forged_tokens_change_nothing
                g7_two_issuers_are_both_refused
                g8_lower_revisions_are_told
                g9_admits_only_under_a_lease
                g10_confirms_only_under_a_lease
                g11_elections_refuse_no_append
                g12_starts_closed
            );
        }
    };
    (@tests $fixture:ty; $($clause:ident)*) => {
        $(
            #[tokio::test]
            async fn $clause() -> Result<(), $crate::testing::Violation> {
                $crate::testing::resource_guard::$clause::<$fixture>().await
            }
        )*
    };
}

// What every clause starts from.
struct Scene {
    world: TwoRegions,
    slice: SliceRef,
    west: RegionId,
    east: RegionId,
    now: Moment,
}

impl Scene {
    fn set() -> Self {
        Self {
            world: TwoRegions::new(),
            slice: fixtures::slice_a(&fixtures::orders()),
            west: fixtures::west(),
            east: fixtures::east(),
            now: Moment::from_nanos(1_000),
        }
    }

    fn west(&self, epoch: u64) -> WriteGrant {
        self.world.grant(&self.slice, &self.west, epoch)
    }

    fn token(&self, owner: &RegionId, epoch: u64, revision: u64) -> FencingToken {
        self.world.token(&self.world.grant(&self.slice, owner, epoch), &fixtures::holder("one"), revision)
    }

    fn west_token(&self, epoch: u64, revision: u64) -> FencingToken {
        self.token(&self.west, epoch, revision)
    }

    fn east_token(&self, epoch: u64, revision: u64) -> FencingToken {
        self.token(&self.east, epoch, revision)
    }
}

// Whether a failure certainly had no effect and has this code.
fn is_not_applied(failure: Option<&Failure>, code: &str) -> bool {
    failure.and_then(Failure::not_applied).is_some_and(|error| error.code() == code)
}

fn is_fenced(failure: Option<&Failure>) -> bool {
    failure.and_then(Failure::not_applied).is_some_and(|error| error.kind() == crate::ErrorKind::Fenced)
}

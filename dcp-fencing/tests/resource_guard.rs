//! The guard of a slice keeps G1 to G12, and each clause finds the defect planted for it.

// A test stops where its own set-up fails.
#![allow(clippy::unwrap_used)]

#[path = "guard/deployment.rs"]
mod deployment;

use std::sync::Arc;

use dcp_core::ports::{OwnershipLease, ResourceGuard};
use dcp_core::testing::defects::resource_guard::{DefectiveGuard, GuardDefect};
use dcp_core::testing::failing;
use dcp_core::testing::resource_guard::clauses;

use deployment::{Deployment, Plant, Sound};

dcp_core::resource_guard_conformance!(slice_guard, Deployment<Sound>);

/// G2: the fence is kept in memory only.
struct VolatileFence;
impl Plant for VolatileFence {
    const DURABLE: bool = false;
}

/// G5: the seal asks where the logs end and does not raise the store's own fence.
struct NoBarrier;
impl Plant for NoBarrier {
    const BARS: bool = false;
}

macro_rules! planted {
    ($($clause:literal $name:ident $defect:ident)*) => {
        $(
            struct $defect;
            impl Plant for $defect {
                fn dress(inner: Arc<dyn ResourceGuard>, lease: Arc<dyn OwnershipLease>) -> Arc<dyn ResourceGuard> {
                    Arc::new(DefectiveGuard::new(inner, lease, GuardDefect::$defect))
                }
            }

            #[tokio::test]
            async fn $name() {
                assert_eq!(failing(&clauses::<Deployment<$defect>>()).await, [$clause]);
            }
        )*
    };
}

planted! {
    "G1" g1_finds_an_off_by_one AdmitsTheEpochBefore
    "G3" g3_finds_a_fence_that_goes_down LowersFence
    "G4" g4_finds_a_seal_that_does_not_drain SealDoesNotDrain
    "G6" g6_finds_a_believer_in_forgeries BelievesForgeries
    "G7" g7_finds_one_that_refuses_only_the_second RefusesOnlyTheSecondIssuer
    "G8" g8_finds_a_hidden_regression HidesRegression
    "G9" g9_finds_a_missing_first_check NoFirstLeaseCheck
    "G10" g10_finds_a_missing_second_check NoSecondLeaseCheck
    "G11" g11_finds_elections_that_refuse_appends ElectionsRefuseAppends
    "G12" g12_finds_a_guard_that_starts_open StartsOpen
}

#[tokio::test]
async fn g2_finds_a_volatile_fence() {
    assert_eq!(failing(&clauses::<Deployment<VolatileFence>>()).await, ["G2"]);
}

#[tokio::test]
async fn g5_finds_a_missing_barrier() {
    assert_eq!(failing(&clauses::<Deployment<NoBarrier>>()).await, ["G5"]);
}

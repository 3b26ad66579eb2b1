//! Clauses EL1 to EL8 of an election over a state store, each with a planted defect.

// A test stops where its own set-up fails.
#![allow(clippy::unwrap_used)]

#[path = "election/clauses.rs"]
mod clauses;
#[path = "election/defects.rs"]
mod defects;
#[path = "support/doubtful.rs"]
mod doubtful;

use std::sync::Arc;

use dcp_core::clock::{Clock, SeededEntropy};
use dcp_core::lease::LeaseTerms;
use dcp_core::ports::{LeaderElection, StateStore};
use dcp_core::testing::failing;
use dcp_core::testing::fixtures::{holder, west};
use dcp_fencing::election::StateStoreElection;

use clauses::{Elections, table};
use defects::Planted;

/// The election of this crate.
struct Sound;

impl Elections for Sound {
    fn join(
        store: Arc<dyn StateStore>,
        name: &str,
        life: u64,
        terms: &LeaseTerms,
        clock: Arc<dyn Clock>,
    ) -> Arc<dyn LeaderElection> {
        let entropy = Arc::new(SeededEntropy::new(life, name));
        Arc::new(StateStoreElection::new(west(), holder(name), store, terms.clone(), clock, entropy).unwrap())
    }
}

macro_rules! kept {
    ($($clause:ident)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $clause() {
                clauses::$clause::<Sound>().await.unwrap();
            }
        )*
    };
}

kept! {
    el1_of_two_challengers_one_wins
    el2_revisions_rise_across_processes
    el3_the_same_holder_retakes_at_once
    el4_another_holder_waits_for_the_lease
    el5_renewal_after_a_takeover_is_fenced
    el6_an_unknown_outcome_is_resolved
    el7_renewals_keep_the_term
    el8_elections_refuse_no_producer
}

macro_rules! planted {
    ($($clause:literal $name:ident $defect:ident)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $name() {
                assert_eq!(failing(&table::<Planted<defects::$defect>>()).await, [$clause]);
            }
        )*
    };
}

planted! {
    "EL1" el1_finds_an_unconditional_take UnconditionalTake
    "EL2" el2_finds_the_process_local_counter ProcessLocalCounter
    "EL3" el3_finds_a_holder_that_waits_for_itself WaitsForItself
    "EL4" el4_finds_a_challenger_that_does_not_wait NoWait
    "EL5" el5_finds_an_unconditional_renewal UnconditionalRenewal
    "EL6" el6_finds_a_challenger_that_ignores_its_nonce IgnoresItsNonce
    "EL7" el7_finds_a_revision_of_the_last_write HeaderRevision
}

//! Clauses W1 to W11 of a witness over a state store, each with a planted defect where one can be
//! wrapped around it.

// A test stops where its own set-up fails.
#![allow(clippy::unwrap_used)]

#[path = "witness/clauses.rs"]
mod clauses;
#[path = "witness/defects.rs"]
mod defects;
#[path = "support/doubtful.rs"]
mod doubtful;
#[path = "witness/many.rs"]
mod many;

use std::sync::Arc;

use dcp_core::ports::{StateStore, Witness};
use dcp_core::testing::failing;
use dcp_core::treaty::Treaty;
use dcp_fencing::witness::StateStoreWitness;

use clauses::{Witnesses, table};
use defects::Planted;

/// The witness of this crate.
struct Sound;

impl Witnesses for Sound {
    fn over(store: Arc<dyn StateStore>, treaty: Arc<Treaty>) -> Arc<dyn Witness> {
        Arc::new(StateStoreWitness::new(store, treaty))
    }
}

macro_rules! kept {
    ($($clause:ident)*) => {
        $(
            #[tokio::test]
            async fn $clause() {
                clauses::$clause::<Sound>().await.unwrap();
            }
        )*
    };
}

kept! {
    w1_of_two_claims_of_one_epoch_one_wins
    w2_a_claim_is_whole_or_not_at_all
    w3_a_claim_fails_if_a_renewal_slipped_in
    w4_an_unknown_outcome_is_resolved_by_the_claim
    w5_renewal_after_a_takeover_is_fenced
    w6_a_store_that_went_back_is_refused
    w7_unlawful_records_are_refused
    w8_chains_are_verified_on_read
    w9_an_event_store_shows_what_it_kept
    w10_a_state_store_shows_its_mark
    w11_evidence_is_the_takeover_rules
}

macro_rules! planted {
    ($($clause:literal $name:ident $defect:ident)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                assert_eq!(failing(&table::<Planted<defects::$defect>>()).await, [$clause]);
            }
        )*
    };
}

planted! {
    "W1" w1_finds_a_claim_that_drops_its_condition OverwritesHeads
    "W2" w2_finds_a_claim_in_parts ClaimsOneByOne
    "W3" w3_finds_a_claim_that_forgets_the_lease ForgetsTheLease
    "W4" w4_finds_a_claim_that_ignores_the_nonce IgnoresTheNonce
    "W5" w5_finds_a_renewal_without_owner RenewsForAnyone
    "W6" w6_finds_a_witness_that_forgets_the_store ForgetsTheStore
    "W7" w7_finds_a_witness_that_believes_any_lease BelievesAnyLease
    "W8" w8_finds_a_reader_that_does_not_verify ReadsHeadsOnly
    "W9" w9_finds_a_witness_that_counts_commits CountsCommits
    "W10" w10_finds_a_witness_that_forgets_the_mark ForgetsTheMark
    "W11" w11_finds_a_witness_that_believes_any_evidence BelievesAnyEvidence
}

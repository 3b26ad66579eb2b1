//! Ownership chains: what may follow a head, and what the chain then is.

// A test stops where its own set-up fails.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use dcp_core::digest::Digest;
use dcp_core::ids::{RegionId, RunId};
use dcp_core::ownership::{Claim, Epoch, Evidence, Ownership, WriteGrant, judge_succession};
use dcp_core::position::{Cut, LogEnd, LogIncarnation, PrefixDigest};
use dcp_core::testing::fixtures::{TwoRegions, east, orders, partition_log, slice_a, slice_b, west};
use dcp_core::treaty::TakeoverRule;
use proptest::prelude::*;

/// One change to a lawful successor.
#[derive(Debug, Clone)]
enum Twist {
    None,
    Epoch(u64),
    Previous(u8),
    OtherOwner,
    OtherSlice,
    NoClaim,
    Genesis,
    Evidence(Evidence),
}

fn twist() -> impl Strategy<Value = Twist> {
    prop_oneof![
        4 => Just(Twist::None),
        1 => (0..9_u64).prop_map(Twist::Epoch),
        1 => any::<u8>().prop_map(Twist::Previous),
        1 => Just(Twist::OtherOwner),
        1 => Just(Twist::OtherSlice),
        1 => Just(Twist::NoClaim),
        1 => Just(Twist::Genesis),
        3 => evidence().prop_map(Twist::Evidence),
    ]
}

fn evidence() -> impl Strategy<Value = Evidence> {
    // The challenger of these terms waits for 8.008 s.
    let waited = prop_oneof![0..8_008_000_000_u64, 8_008_000_000..9_000_000_000_u64];
    prop_oneof![
        Just(Evidence::Attested { statement: "a test".to_owned() }),
        waited.prop_map(run_out),
        prop::collection::btree_set(0..4_u32, 0..4).prop_map(sealed),
    ]
}

fn run_out(waited_nanos: u64) -> Evidence {
    Evidence::LeaseRunOut { lease_revision: 1, last_sequence: 1, waited_nanos, mirrored_ends: Cut::new() }
}

fn sealed(partitions: BTreeSet<u32>) -> Evidence {
    let end = LogEnd { incarnation: LogIncarnation::from_bytes([0; 16]), last: None, prefix: PrefixDigest::EMPTY };
    let mut ends = Cut::new();
    for region in [west(), east()] {
        partitions.iter().for_each(|partition| ends.insert(partition_log(&region, *partition), end));
    }
    Evidence::Sealed { ends }
}

// Of slice `a`, which is partition 0.
fn moves(rule: TakeoverRule, evidence: &Evidence) -> bool {
    match evidence {
        Evidence::LeaseRunOut { waited_nanos, .. } => rule == TakeoverRule::Leased && *waited_nanos >= 8_008_000_000,
        Evidence::Attested { .. } => rule == TakeoverRule::Attested,
        Evidence::Sealed { ends } => ends.get(&partition_log(&west(), 0)).is_some(),
        _ => false,
    }
}

fn world_under(rule: TakeoverRule) -> TwoRegions {
    TwoRegions::with(rule, TwoRegions::new().treaty().lease().clone())
}

fn region() -> impl Strategy<Value = RegionId> {
    prop_oneof![Just(west()), Just(east())]
}

fn next(world: &TwoRegions, head: &WriteGrant, owner: RegionId, nonce: u8, twist: &Twist) -> WriteGrant {
    let claim =
        Claim { run: RunId::new("run").unwrap(), plan: Digest::of(b"plan"), nonce: Digest::from_bytes([nonce; 32]) };
    let mut record = Ownership::succeed(head, owner, claim, world.sealed(head));
    match twist {
        Twist::None => {}
        Twist::Epoch(epoch) => record.epoch = Epoch::new(*epoch),
        Twist::Previous(byte) => record.previous = Digest::from_bytes([*byte; 32]),
        // Signed by the issuer, who gives it to somebody else.
        Twist::OtherOwner => record.owner = if record.issuer == west() { east() } else { west() },
        Twist::OtherSlice => record.slice = slice_b(&orders()),
        Twist::NoClaim => record.claim = None,
        Twist::Genesis => record.evidence = Evidence::Genesis,
        Twist::Evidence(evidence) => record.evidence = evidence.clone(),
    }
    world.sign(&record)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn only_the_lawful_next_record_follows(
        rule in prop_oneof![Just(TakeoverRule::Leased), Just(TakeoverRule::Attested)],
        steps in prop::collection::vec((region(), any::<u8>(), twist()), 1..8),
    ) {
        let world = world_under(rule);
        let treaty = world.treaty();
        let mut chain = vec![world.genesis(&slice_a(&orders()))];
        prop_assert_eq!(judge_succession(treaty, None, &chain[0]), Ok(()));
        for (owner, nonce, twist) in steps {
            let head = chain[chain.len() - 1].clone();
            let record = next(&world, &head, owner, nonce, &twist);
            let lawful = match &twist {
                Twist::None => true,
                Twist::Epoch(epoch) => *epoch == head.epoch.next().get(),
                Twist::Evidence(evidence) => moves(rule, evidence),
                _ => false,
            };
            let judged = judge_succession(treaty, Some(&head), &record);
            prop_assert_eq!(judged.is_ok(), lawful, "{:?}: {:?}", twist, judged);
            if lawful {
                chain.push(record);
                // Once it is the head, neither it nor a rival built on the old head follows.
                let rival = next(&world, &head, east(), nonce.wrapping_add(1), &Twist::None);
                prop_assert!(judge_succession(treaty, chain.last(), &chain[chain.len() - 1]).is_err());
                prop_assert!(judge_succession(treaty, chain.last(), &rival).is_err());
            }
        }
        let epochs: Vec<u64> = chain.iter().map(|record| record.epoch.get()).collect();
        prop_assert_eq!(epochs, (1..=chain.len() as u64).collect::<Vec<_>>());
        prop_assert_eq!(dcp_fencing::witness::verify_chain(treaty, &slice_a(&orders()), &chain), Ok(()));
        if chain.len() > 2 {
            let mut holed = chain.clone();
            holed.remove(1);
            prop_assert!(dcp_fencing::witness::verify_chain(treaty, &slice_a(&orders()), &holed).is_err());
        }
    }

    #[test]
    fn a_takeover_rule_lets_pass_its_own_evidence_and_a_whole_seal(
        rule in prop_oneof![Just(TakeoverRule::Leased), Just(TakeoverRule::Attested)],
        evidence in evidence(),
    ) {
        let world = world_under(rule);
        let head = world.genesis(&slice_a(&orders()));
        let record = next(&world, &head, east(), 1, &Twist::Evidence(evidence.clone()));
        let judged = judge_succession(world.treaty(), Some(&head), &record);
        let code = judged.as_ref().err().map(dcp_core::Error::code);
        prop_assert_eq!(code, (!moves(rule, &evidence)).then_some("unlawful-evidence"));
    }

    #[test]
    fn the_first_record_is_the_homes(owner in region(), epoch in 0..4_u64, zero in any::<bool>()) {
        let world = TwoRegions::new();
        let mut first = Ownership::genesis(slice_a(&orders()), owner.clone());
        first.epoch = Epoch::new(epoch);
        if !zero {
            first.previous = Digest::of(b"something");
        }
        let judged = judge_succession(world.treaty(), None, &world.sign(&first));
        prop_assert_eq!(judged.is_ok(), owner == west() && epoch == 1 && zero);
    }
}

//! Ownership chains: what may follow a head, and what the chain then is.

// A test stops where its own set-up fails.
#![allow(clippy::unwrap_used)]

use dcp_core::digest::Digest;
use dcp_core::ids::{RegionId, RunId};
use dcp_core::ownership::{Claim, Epoch, Evidence, Ownership, WriteGrant, judge_succession};
use dcp_core::testing::fixtures::{TwoRegions, east, orders, slice_a, slice_b, west};
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
    ]
}

fn region() -> impl Strategy<Value = RegionId> {
    prop_oneof![Just(west()), Just(east())]
}

fn next(world: &TwoRegions, head: &WriteGrant, owner: RegionId, nonce: u8, twist: &Twist) -> WriteGrant {
    let claim =
        Claim { run: RunId::new("run").unwrap(), plan: Digest::of(b"plan"), nonce: Digest::from_bytes([nonce; 32]) };
    let mut record = Ownership::succeed(head, owner, claim, Evidence::Attested { statement: "a test".to_owned() });
    match twist {
        Twist::None => {}
        Twist::Epoch(epoch) => record.epoch = Epoch::new(*epoch),
        Twist::Previous(byte) => record.previous = Digest::from_bytes([*byte; 32]),
        // Signed by the issuer, who gives it to somebody else.
        Twist::OtherOwner => record.owner = if record.issuer == west() { east() } else { west() },
        Twist::OtherSlice => record.slice = slice_b(&orders()),
        Twist::NoClaim => record.claim = None,
        Twist::Genesis => record.evidence = Evidence::Genesis,
    }
    world.sign(&record)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn only_the_lawful_next_record_follows(steps in prop::collection::vec((region(), any::<u8>(), twist()), 1..8)) {
        let world = TwoRegions::new();
        let treaty = world.treaty();
        let mut chain = vec![world.genesis(&slice_a(&orders()))];
        prop_assert_eq!(judge_succession(treaty, None, &chain[0]), Ok(()));
        for (owner, nonce, twist) in steps {
            let head = chain[chain.len() - 1].clone();
            let record = next(&world, &head, owner, nonce, &twist);
            let lawful = match &twist {
                Twist::None => true,
                Twist::Epoch(epoch) => *epoch == head.epoch.next().get(),
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

//! The largest treaty: all of its slices are claimed in one commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dcp_core::digest::Digest;
use dcp_core::ids::{RunId, SliceId, SliceRef};
use dcp_core::memory::MemoryStateStore;
use dcp_core::ownership::{Claim, Epoch, Evidence, Ownership};
use dcp_core::ports::{LeaseRenewal, StoreIdentity, Witness};
use dcp_core::position::{Cut, LogIncarnation};
use dcp_core::testing::fixtures::{TwoRegions, east, orders, west};
use dcp_core::treaty::{SLICES_MAX, ScopeTerms, TakeoverRule, Treaty};
use dcp_fencing::witness::StateStoreWitness;

#[tokio::test]
async fn a_takeover_of_the_largest_treaty_is_one_claim() {
    let world = TwoRegions::new();
    let partitions = u32::try_from(SLICES_MAX).unwrap();
    let name = |partition: u32| SliceId::new(format!("s{partition:02}")).unwrap();
    let slices = (0..partitions).map(|partition| (name(partition), BTreeSet::from([partition]))).collect();
    let scope = ScopeTerms::new(west(), vec![east()], TakeoverRule::Leased, partitions, slices).unwrap();
    let lease = world.treaty().lease().clone();
    let waited_nanos = u64::try_from(lease.challenge_wait().as_nanos()).unwrap();
    let treaty = Treaty::new(1, [(orders(), scope)].into(), lease, world.keyring().clone()).unwrap();
    let slices: Vec<SliceRef> = treaty.slices();
    let witness = StateStoreWitness::new(Arc::new(MemoryStateStore::new()), Arc::new(treaty));

    let heads: Vec<_> = slices.iter().map(|slice| world.sign(&Ownership::genesis(slice.clone(), west()))).collect();
    witness.claim(&heads, None).await.unwrap();
    let store = StoreIdentity { incarnation: LogIncarnation::from_bytes([1; 16]), commit_sequence: 1 };
    let held: BTreeMap<_, _> = slices.iter().map(|slice| (slice.clone(), Epoch::GENESIS)).collect();
    let lease = witness.renew(&LeaseRenewal::new(west(), held, store)).await.unwrap();

    let claim = Claim { run: RunId::new("run").unwrap(), plan: Digest::of(b"plan"), nonce: Digest::of(b"nonce") };
    let evidence = Evidence::LeaseRunOut {
        lease_revision: lease.revision,
        last_sequence: lease.sequence,
        waited_nanos,
        mirrored_ends: Cut::new(),
    };
    let taken: Vec<_> = heads
        .iter()
        .map(|head| world.sign(&Ownership::succeed(head, east(), claim.clone(), evidence.clone())))
        .collect();
    witness.claim(&taken, Some((&west(), lease.revision))).await.unwrap();
    for slice in &slices {
        assert_eq!(witness.ownership(slice).await.unwrap().unwrap().owner, east());
    }
}

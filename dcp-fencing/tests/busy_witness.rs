//! Renewals at a witness whose every answer takes a good part of their deadline.

// A test stops where its own set-up fails.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dcp_core::clock::{Clock, TokioClock};
use dcp_core::memory::MemoryStateStore;
use dcp_core::ownership::Epoch;
use dcp_core::ports::{Entry, Key, LeaseRenewal, Revision, StateStore, StoreIdentity, Transaction, Witness};
use dcp_core::position::LogIncarnation;
use dcp_core::testing::fixtures::{TwoRegions, orders, slice_a, slice_b, west};
use dcp_core::{Error, Failure};
use dcp_fencing::witness::StateStoreWitness;

const ANSWER: Duration = Duration::from_millis(100);
const DEADLINE: Duration = Duration::from_millis(250);

/// Each call takes its time, and one that is dropped meanwhile may have taken effect.
#[derive(Debug)]
struct BusyStore {
    inner: MemoryStateStore,
    clock: Arc<TokioClock>,
}

#[async_trait]
impl StateStore for BusyStore {
    async fn read(&self, key: &Key) -> Result<Option<Entry>, Error> {
        self.clock.sleep(ANSWER).await;
        self.inner.read(key).await
    }

    async fn scan(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error> {
        self.clock.sleep(ANSWER).await;
        self.inner.scan(prefix, after, limit).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Revision, Failure> {
        let committed = self.inner.commit(transaction).await;
        self.clock.sleep(ANSWER).await;
        committed
    }
}

struct Scene {
    clock: Arc<TokioClock>,
    witness: StateStoreWitness,
    renewal: LeaseRenewal,
}

impl Scene {
    async fn set() -> Self {
        let (world, clock) = (TwoRegions::new(), Arc::new(TokioClock::new()));
        let store = BusyStore { inner: MemoryStateStore::new(), clock: Arc::clone(&clock) };
        let witness = StateStoreWitness::new(Arc::new(store), Arc::new((**world.treaty()).clone()));
        let (a, b) = (slice_a(&orders()), slice_b(&orders()));
        witness.claim(&[world.genesis(&a), world.genesis(&b)], None).await.unwrap();
        let slices = [(a, Epoch::GENESIS), (b, Epoch::GENESIS)].into();
        let store = StoreIdentity { incarnation: LogIncarnation::from_bytes([1; 16]), commit_sequence: 1 };
        Self { clock, witness, renewal: LeaseRenewal::new(west(), slices, store) }
    }

    async fn answered_within(&self, deadline: Duration) -> bool {
        tokio::select! {
            biased;
            answer = self.witness.renew(&self.renewal) => answer.map(|_| true).unwrap(),
            () = self.clock.sleep(deadline) => false,
        }
    }
}

// Lease, two heads and the commit take longer than one deadline.
#[tokio::test(start_paused = true)]
async fn a_first_renewal_that_is_cut_off_leaves_the_next_one_less_to_read() {
    let scene = Scene::set().await;
    let mut answered = Vec::new();
    for _ in 0..3 {
        answered.push(scene.answered_within(DEADLINE).await);
    }
    assert_eq!(answered, [false, false, true]);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_answer_was_lost_costs_the_next_one_no_heads() {
    let scene = Scene::set().await;
    scene.answered_within(DEADLINE * 4).await;
    // It takes effect, and its caller does not wait for the answer.
    assert!(!scene.answered_within(ANSWER / 2).await);
    // A conflict, the lease, the commit.
    assert!(scene.answered_within(ANSWER * 3 + ANSWER / 2).await);
}

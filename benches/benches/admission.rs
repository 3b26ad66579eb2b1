//! Admission of one append in the process, and its settling, with a valid lease.

#![allow(missing_docs, clippy::expect_used)] // Criterion's macros make undocumented items.

use std::sync::Arc;

use benches::runtime;
use criterion::{Criterion, criterion_group, criterion_main};
use dcp_core::clock::{Clock, SeededEntropy, TokioClock};
use dcp_core::ids::ResourceId;
use dcp_core::memory::{MemoryEventStore, MemoryStateStore};
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{ResourceGuard as _, Witness as _};
use dcp_core::position::LogIncarnation;
use dcp_core::testing::fixtures::{TwoRegions, orders, partition_log, slice_a, west};
use dcp_fencing::guard::{EventStoreSlice, GuardParts, SliceGuard};
use dcp_fencing::leases::{NoHeartbeat, OwnershipLeases};
use dcp_fencing::witness::StateStoreWitness;

async fn open_guard(clock: &Arc<dyn Clock>) -> (SliceGuard, WriteGrant) {
    let regions = TwoRegions::new();
    let treaty = Arc::new((**regions.treaty()).clone());
    let slice = slice_a(&orders());
    let grant = regions.genesis(&slice);
    let events = Arc::new(MemoryEventStore::new(west(), LogIncarnation::from_bytes([1; 16])));
    let witness = Arc::new(StateStoreWitness::new(Arc::new(MemoryStateStore::new()), Arc::clone(&treaty)));
    witness.claim(std::slice::from_ref(&grant), None).await.expect("the first claim");
    let heartbeat = Arc::new(NoHeartbeat::new(Arc::clone(&events) as _));
    let terms = treaty.lease().clone();
    let state = Arc::new(MemoryStateStore::new());
    let marks = Arc::new(SeededEntropy::new(1, "marks"));
    let leases =
        OwnershipLeases::new(west(), witness, terms, Arc::clone(clock), heartbeat, Arc::clone(&state) as _, marks);
    let leases = Arc::new(leases);
    let guard = SliceGuard::new(GuardParts::new(
        west(),
        ResourceId::new("west.orders.a").expect("a legal name"),
        slice,
        state,
        treaty.keyring().clone(),
        Arc::clone(&leases) as _,
        Arc::new(EventStoreSlice::new(events, vec![partition_log(&west(), 0)])),
        Arc::clone(clock),
    ))
    .expect("a lawful guard");
    leases.adopt(grant.clone()).expect("its own grant");
    leases.renew_once().await.expect("a witness in memory");
    guard.open(&grant).await.expect("the current grant");
    (guard, grant)
}

fn admission(criterion: &mut Criterion) {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
    let (guard, grant) = runtime().block_on(open_guard(&clock));
    // The lease is renewed once and must not run out under the benchmark: time stands still for it.
    let now = clock.now();
    criterion.bench_function("admission/admit and settle", |bencher| {
        bencher.iter(|| {
            let permit = guard.admit(&grant, now).expect("the lease is valid");
            permit.applied(now).expect("the lease is still valid");
        });
    });
}

criterion_group!(benches, admission);
criterion_main!(benches);

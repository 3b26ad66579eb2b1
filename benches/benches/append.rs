//! Durable appends: one producer waits for each commit alone, 64 share commits.

#![allow(missing_docs, clippy::expect_used)] // Criterion's macros make undocumented items.

use std::sync::Arc;
use std::time::Duration;

use benches::{Batches, event_store, owner, runtime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dcp_core::clock::{Clock as _, TokioClock};
use dcp_core::ports::event_store::EventWriter;
use dcp_core::testing::fixtures::west;

// Every producer has a partition of its own and one batch in flight; the time is that of all of
// them sending `rounds` batches each.
async fn produce(writer: &Arc<dyn EventWriter>, producers: &Arc<Vec<Batches>>, events: usize, rounds: u64) -> Duration {
    let clock = TokioClock::new();
    let start = clock.now();
    let mut running = tokio::task::JoinSet::new();
    for nth in 0..producers.len() {
        let (writer, producers) = (Arc::clone(writer), Arc::clone(producers));
        running.spawn(async move {
            for _ in 0..rounds {
                let appended = writer.append(producers[nth].next(events)).await.expect("an open writer");
                assert!(appended.acks.iter().all(|ack| !ack.existing), "an id was drawn twice");
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("a producer does not panic");
    }
    clock.now().since(start)
}

fn append(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("durable append");
    group.sample_size(10);
    for (producers, events) in [(1_u32, 1_usize), (64, 1), (1, 256), (64, 256)] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = event_store(folder.path(), west());
        let writer = runtime.block_on(owner(&store, producers));
        let batches: Arc<Vec<Batches>> = Arc::new((0..producers).map(Batches::of).collect());
        group.throughput(Throughput::Elements(u64::from(producers) * events as u64));
        group.bench_function(format!("{producers} producers, {events} events a batch"), |bencher| {
            bencher.iter_custom(|rounds| runtime.block_on(produce(&writer, &batches, events, rounds)));
        });
        drop(writer);
        runtime.block_on(store.close());
    }
    group.finish();
}

criterion_group!(benches, append);
criterion_main!(benches);

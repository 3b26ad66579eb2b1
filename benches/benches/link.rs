//! A link from one embedded store to another, from an empty mirror to the end of the source.

#![allow(missing_docs, clippy::expect_used)] // Criterion's macros make undocumented items.

use std::sync::Arc;
use std::time::Duration;

use benches::{Batches, event_store, owner, runtime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dcp_core::clock::{Clock as _, SeededEntropy, TokioClock};
use dcp_core::log::LogId;
use dcp_core::memory::MemoryStateStore;
use dcp_core::ports::EventSource as _;
use dcp_core::store::embedded::EmbeddedEventStore;
use dcp_core::testing::fixtures::{east, partition_log, west};
use dcp_mirror::{LinkPorts, LinkSettings, StoreLink};
use tokio_util::sync::CancellationToken;

const PARTITIONS: u32 = 20;
const BATCHES_PER_PARTITION: usize = 4;
const BATCH: usize = 256;
const RECORDS: u64 = 20_480;

fn logs() -> Vec<LogId> {
    (0..PARTITIONS).map(|partition| partition_log(&west(), partition)).collect()
}

async fn records(store: &EmbeddedEventStore) -> u64 {
    let ends = store.ends(&logs()).await.expect("an open store");
    logs().iter().filter_map(|log| ends.get(log)).map(|end| end.prefix.count).sum()
}

async fn fill(source: &EmbeddedEventStore) {
    let writer = owner(source, PARTITIONS).await;
    for partition in 0..PARTITIONS {
        let batches = Batches::of(partition);
        for _ in 0..BATCHES_PER_PARTITION {
            writer.append(batches.next(BATCH)).await.expect("an open writer");
        }
    }
    assert_eq!(records(source).await, RECORDS);
}

// From the link's start until the mirror is complete, looked at every two milliseconds.
async fn mirror(source: Arc<EmbeddedEventStore>) -> Duration {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let local = event_store(folder.path(), east());
    let clock = Arc::new(TokioClock::new());
    let ports = LinkPorts {
        source,
        local: Arc::clone(&local) as _,
        state: Arc::new(MemoryStateStore::new()),
        clock: Arc::clone(&clock) as _,
        entropy: Arc::new(SeededEntropy::new(3, "link")),
    };
    let settings = LinkSettings::new("west-east".parse().expect("a legal name"), west(), logs());
    let link = StoreLink::new(settings.expect("lawful settings"), ports).expect("a link");
    let (stop, start) = (CancellationToken::new(), clock.now());
    let watch = async {
        while records(&local).await < RECORDS {
            clock.sleep(Duration::from_millis(2)).await;
        }
        stop.cancel();
        clock.now().since(start)
    };
    let (ran, took) = tokio::join!(link.run(stop.clone()), watch);
    ran.expect("a link that was stopped");
    local.close().await;
    took
}

fn link(criterion: &mut Criterion) {
    let runtime = runtime();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = event_store(folder.path(), west());
    runtime.block_on(fill(&source));
    let mut group = criterion.benchmark_group("link");
    group.sample_size(10).throughput(Throughput::Elements(RECORDS));
    group.bench_function("store to store, 20 logs", |bencher| {
        bencher.iter_custom(|rounds| {
            runtime.block_on(async {
                let mut took = Duration::ZERO;
                for _ in 0..rounds {
                    took += mirror(Arc::clone(&source)).await;
                }
                took
            })
        });
    });
    group.finish();
}

criterion_group!(benches, link);
criterion_main!(benches);

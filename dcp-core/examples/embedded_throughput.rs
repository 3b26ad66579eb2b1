//! How many events a second the embedded store takes: 40 logs, batches of 256, durable commits.
//!
//! `cargo run --release -p dcp-core --features embedded,test-util --example embedded_throughput -- DIRECTORY`

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dcp_core::clock::{Clock as _, Entropy as _, SeededEntropy, TokioClock};
use dcp_core::event::{EventId, NewEvent, StreamId};
use dcp_core::ports::event_store::{EventSourceExt as _, EventWriter, OwnerBatch};
use dcp_core::ports::{EventSource as _, EventStore as _, ReadFrom, WriterRole};
use dcp_core::store::embedded::{EmbeddedEventSettings, EmbeddedEventStore};
use dcp_core::testing::fixtures::{TwoRegions, orders, partition_log, slice_b, west};

const LOGS: u32 = 40;
const BATCH: usize = 256;
const BATCHES_PER_LOG: usize = 53;

fn batch(ids: &SeededEntropy, partition: u32) -> OwnerBatch {
    let event = |nth: usize| {
        let mut id = [0; 16];
        id.copy_from_slice(&ids.draw()[..16]);
        let stream = StreamId::new(format!("{:05}A", usize::from(id[0]) * 7 + nth % 3));
        NewEvent::new(EventId::from_bytes(id), stream, "sold", Bytes::from(vec![b'x'; 110]))
    };
    OwnerBatch::new(partition_log(&west(), partition), (0..BATCH).map(event).collect())
}

async fn produce(
    writer: Arc<dyn EventWriter>,
    partition: u32,
    batches: Vec<OwnerBatch>,
) -> Result<(), dcp_core::Failure> {
    for batch in batches {
        let appended = writer.append(batch).await?;
        assert!(appended.acks.iter().all(|ack| !ack.existing), "partition {partition}");
    }
    Ok(())
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).ok_or("usage: embedded_throughput DIRECTORY")?;
    let path = std::path::Path::new(&directory).join("events");
    let entropy = Arc::new(SeededEntropy::new(1, "incarnation"));
    let store = EmbeddedEventStore::open(&EmbeddedEventSettings::new(&path, west(), entropy))?;
    let logs: Vec<_> = (0..LOGS).map(|partition| partition_log(&west(), partition)).collect();
    let grant = TwoRegions::new().grant(&slice_b(&orders()), &west(), 1);
    let writer: Arc<dyn EventWriter> = Arc::from(store.open_writer(&logs, WriterRole::Owner(grant)).await?);
    let clock = TokioClock::new();

    let batches: Vec<Vec<OwnerBatch>> = (0..LOGS)
        .map(|partition| {
            let ids = SeededEntropy::new(2, &format!("ids of {partition}"));
            (0..BATCHES_PER_LOG).map(|_| batch(&ids, partition)).collect()
        })
        .collect();
    let again = batches[0].clone();
    let events = LOGS as usize * BATCH * BATCHES_PER_LOG;
    let report = |what: &str, events: usize, took: Duration| {
        println!("{what}: {events} events in {took:.2?}, {:.0} a second", events as f64 / took.as_secs_f64());
    };

    let before = store.identity().await?.commit_sequence;
    let start = clock.now();
    let mut producers = tokio::task::JoinSet::new();
    for (partition, batches) in (0..LOGS).zip(batches) {
        producers.spawn(produce(Arc::clone(&writer), partition, batches));
    }
    while let Some(ended) = producers.join_next().await {
        ended??;
    }
    report("append", events, clock.now().since(start));
    println!("{} commits", store.identity().await?.commit_sequence - before);

    let start = clock.now();
    let sent_again = again.len() * BATCH;
    for batch in again {
        assert!(writer.append(batch).await?.acks.iter().all(|ack| ack.existing));
    }
    report("append again, one batch at a time", sent_again, clock.now().since(start));

    let start = clock.now();
    let mut read = 0;
    for log in &logs {
        let mut reader = store.open_reader(log, ReadFrom::Start).await?;
        loop {
            let records = reader.next(1_000, Duration::ZERO).await?;
            if records.is_empty() {
                break;
            }
            read += records.len();
        }
    }
    report("read", read, clock.now().since(start));

    let start = clock.now();
    let count = store.end(&logs[0]).await?.prefix.count;
    for nth in 0..1_000 {
        store.prefix(&logs[0], count * nth / 1_000).await?;
    }
    println!("1,000 prefixes in {:.2?}", clock.now().since(start));
    store.close().await;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: not known");
    println!("file {} MB, {peak}", std::fs::metadata(&path)?.len() >> 20);
    Ok(())
}

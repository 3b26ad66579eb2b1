//! How much goes through. Printed, not judged: the figures are the machine's.

use std::sync::Arc;

use dcp_core::clock::{Clock as _, SystemClock};
use dcp_core::event::{EventId, NewEvent, StreamId};
use dcp_core::ports::{EventStore as _, EventWriter, OwnerBatch, WriterRole};
use dcp_core::testing::fixtures::{partition_log, west};
use tokio::task::JoinSet;

use crate::broker::{block_on, fresh_namespace, make_topics, open};
use crate::steps::{grant, read_all};

const PRODUCERS: u32 = 64;
const EACH: u32 = 100;

/// One event a batch, 64 producers on four partitions, each waiting for its answer.
pub(crate) fn measure() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let store = open(&namespace).await.unwrap();
        let logs: Vec<_> = (0..4).map(|partition| partition_log(&west(), partition)).collect();
        let writer: Arc<dyn EventWriter> = store.open_writer(&logs, WriterRole::Owner(grant(1))).await.unwrap().into();
        let clock = SystemClock::new();
        let begun = clock.now();
        let mut producers = JoinSet::new();
        for producer in 0..PRODUCERS {
            let (writer, log) = (Arc::clone(&writer), logs[(producer % 4) as usize].clone());
            producers.spawn(async move {
                for number in 0..EACH {
                    let mut id = [0; 16];
                    id[..8].copy_from_slice(&(u64::from(producer) << 32 | u64::from(number)).to_be_bytes());
                    let stream = StreamId::new(format!("stream-{producer}"));
                    let event = NewEvent::new(EventId::from_bytes(id), stream, "measured", vec![7; 150].into());
                    writer.append(OwnerBatch::new(log.clone(), vec![event])).await.unwrap();
                }
            });
        }
        while let Some(ended) = producers.join_next().await {
            ended.unwrap();
        }
        let appended = clock.now().since(begun);
        let begun = clock.now();
        let mut read = 0;
        for log in &logs {
            read += read_all(&*store, log).await.len();
        }
        assert_eq!(read, (PRODUCERS * EACH) as usize);
        println!("  {read} events appended in {appended:?}, read in {:?}", clock.now().since(begun));
    });
}

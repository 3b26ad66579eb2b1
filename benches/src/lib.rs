//! What the benchmarks share: a runtime of two threads, embedded stores in a temporary folder, and
//! events of the size of an order line.
//!
//! The benchmarks are under `benches/benches`, one file each:
//!
//! | File | Measures |
//! |---|---|
//! | `append.rs` | durable appends on the embedded event store, by 1 and 64 producers |
//! | `link.rs` | a link from one embedded event store to another |
//! | `admission.rs` | admission and settling of one append by a guard in the process |
//! | `journal.rs` | durable appends to the journal on the embedded state store |
//! | `servers/` | appends to and reads from a store on a real server, next to what a program without it does |
//!
//! `cargo bench -p benches -- --quick` runs them all. The temporary folder is that of `TMPDIR`: on a
//! file system in memory a durable commit costs nothing, so name one on a disk.

// A benchmark that cannot be set up must stop, with the reason.
#![allow(clippy::expect_used, clippy::missing_panics_doc)]

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use dcp_core::clock::{Entropy as _, SeededEntropy};
use dcp_core::event::{EventId, NewEvent, StreamId};
use dcp_core::ids::RegionId;
use dcp_core::ports::event_store::{EventStore as _, EventWriter, OwnerBatch, WriterRole};
use dcp_core::store::embedded::{EmbeddedEventSettings, EmbeddedEventStore};
use dcp_core::testing::fixtures::{TwoRegions, orders, partition_log, slice_b, west};
use tokio::runtime::Runtime;

/// Bytes of one payload: about what an order line takes.
pub const PAYLOAD_BYTES: usize = 110;

/// A runtime of two threads.
#[must_use]
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// An embedded event store of a region, in a file of its own.
#[must_use]
pub fn event_store(folder: &Path, region: RegionId) -> Arc<EmbeddedEventStore> {
    let entropy = Arc::new(SeededEntropy::new(1, region.as_str()));
    let settings = EmbeddedEventSettings::new(folder.join(format!("{region}.redb")), region, entropy);
    Arc::new(EmbeddedEventStore::open(&settings).expect("a fresh store"))
}

/// A writer on the logs `0..partitions` of the region `west`, as their owner.
pub async fn owner(store: &EmbeddedEventStore, partitions: u32) -> Arc<dyn EventWriter> {
    let logs: Vec<_> = (0..partitions).map(|partition| partition_log(&west(), partition)).collect();
    let grant = TwoRegions::new().grant(&slice_b(&orders()), &west(), 1);
    let writer = store.open_writer(&logs, WriterRole::Owner(grant)).await;
    Arc::from(writer.expect("a fresh store has no fence above epoch 1"))
}

/// Batches of new events of one partition, spread over some hundred streams; never an id twice.
#[derive(Debug)]
pub struct Batches {
    partition: u32,
    ids: SeededEntropy,
}

impl Batches {
    /// Of this partition.
    #[must_use]
    pub fn of(partition: u32) -> Self {
        Self::of_producer(partition, 0)
    }

    /// Of one of several producers of this partition.
    #[must_use]
    pub fn of_producer(partition: u32, producer: usize) -> Self {
        Self { partition, ids: SeededEntropy::new(2, &format!("ids of {partition} by {producer}")) }
    }

    /// The next batch.
    #[must_use]
    pub fn next(&self, events: usize) -> OwnerBatch {
        let event = || {
            let mut id = [0; 16];
            id.copy_from_slice(&self.ids.draw()[..16]);
            let stream = StreamId::new(format!("{:05}A", id[0]));
            NewEvent::new(EventId::from_bytes(id), stream, "sold", Bytes::from(vec![b'x'; PAYLOAD_BYTES]))
        };
        OwnerBatch::new(partition_log(&west(), self.partition), (0..events).map(|_| event()).collect())
    }
}

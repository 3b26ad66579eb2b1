//! Events by number, written by one owner and counted again.

use std::time::Duration;

use dcp_core::Failure;
use dcp_core::event::{EventId, NewEvent, StreamId};
use dcp_core::log::LogId;
use dcp_core::ports::{EventSource as _, EventStore as _, EventWriter, OwnerBatch, ReadFrom, WriterRole};
use dcp_core::store::postgres::PostgresEventStore;
use dcp_core::store::postgres::tokio_postgres::{Client, NoTls};
use dcp_core::testing::fixtures::{TwoRegions, orders, slice_a, west};
use tokio::task::JoinSet;

use crate::server::config;

pub(crate) fn log(partition: u32) -> LogId {
    LogId::new(orders(), west(), partition)
}

pub(crate) fn id(number: u64) -> EventId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    EventId::from_bytes(bytes)
}

/// A batch of one event.
pub(crate) fn batch(partition: u32, number: u64) -> OwnerBatch {
    OwnerBatch::new(log(partition), vec![NewEvent::new(id(number), StreamId::new("stream"), "counted", "{}".into())])
}

/// A writer on the partitions from 0.
pub(crate) async fn owner(store: &PostgresEventStore, partitions: u32) -> Result<Box<dyn EventWriter>, Failure> {
    let logs: Vec<_> = (0..partitions).map(log).collect();
    let grant = TwoRegions::new().genesis(&slice_a(&orders()));
    store.open_writer(&logs, WriterRole::Owner(grant)).await
}

/// What a partition holds, in order.
pub(crate) async fn held(store: &PostgresEventStore, partition: u32) -> Vec<EventId> {
    let mut reader = store.open_reader(&log(partition), ReadFrom::Start).await.unwrap();
    let mut ids = Vec::new();
    loop {
        let page = reader.next(1_000, Duration::ZERO).await.unwrap();
        if page.is_empty() {
            return ids;
        }
        ids.extend(page.into_iter().map(|placed| placed.record.id));
    }
}

/// Holds the events of these numbers and no others, in this order.
pub(crate) async fn assert_holds(store: &PostgresEventStore, numbers: std::ops::Range<u64>) {
    let held = held(store, 0).await;
    assert!(held.iter().copied().eq(numbers.clone().map(id)), "not {numbers:?}: {held:?}");
}

/// A session of somebody else's, with its process id.
pub(crate) async fn session(name: &str) -> (Client, i32, JoinSet<()>) {
    let mut config = config();
    config.application_name(name);
    let (client, connection) = config.connect(NoTls).await.unwrap();
    let mut running = JoinSet::new();
    running.spawn(async move { drop(connection.await) });
    let pid = client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    (client, pid, running)
}

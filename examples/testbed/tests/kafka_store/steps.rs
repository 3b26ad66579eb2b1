//! Steps that the cases share.

use std::sync::Arc;
use std::time::Duration;

use dcp_core::event::{EventId, NewEvent, Placed};
use dcp_core::kafka::batch::{Record, encode};
use dcp_core::kafka::{KafkaClient, Produce, ProducerSession, TopicPartition};
use dcp_core::log::LogId;
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{Appended, EventSource, EventStore, EventWriter, OwnerBatch, ReadFrom, WriterRole};
use dcp_core::store::kafka::KafkaEventStore;
use dcp_core::testing::fixtures::{TwoRegions, orders, partition_log, slice_b, west};
use dcp_core::{ErrorKind, Failure};

pub(crate) type Store = Arc<KafkaEventStore>;
pub(crate) type Writer = Box<dyn EventWriter>;

/// The region's own log of partition 1.
pub(crate) fn own() -> LogId {
    partition_log(&west(), 1)
}

pub(crate) fn grant(epoch: u64) -> WriteGrant {
    TwoRegions::new().grant(&slice_b(&orders()), &west(), epoch)
}

pub(crate) async fn owner(store: &Store, epoch: u64) -> Result<Writer, Failure> {
    store.open_writer(&[own()], WriterRole::Owner(grant(epoch))).await
}

pub(crate) async fn append(writer: &Writer, events: Vec<NewEvent>) -> Result<Appended, Failure> {
    writer.append(OwnerBatch::new(own(), events)).await
}

/// All that a log holds.
pub(crate) async fn read_all(store: &dyn EventSource, log: &LogId) -> Vec<Placed> {
    let mut reader = store.open_reader(log, ReadFrom::Start).await.unwrap();
    let mut all = Vec::new();
    loop {
        let page = reader.next(1_000, Duration::ZERO).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

pub(crate) fn ids(placed: &[Placed]) -> Vec<EventId> {
    placed.iter().map(|placed| placed.record.id).collect()
}

/// A plain record of somebody else's.
pub(crate) fn plain(key: Option<&'static str>, value: Option<&'static str>) -> Record {
    let (key, value) = (key.map(Into::into), value.map(Into::into));
    Record { offset: 0, timestamp: 1_700_000_000_000, key, value, headers: vec![("trace".into(), Some("7".into()))] }
}

pub(crate) fn place(topic: &str) -> TopicPartition {
    TopicPartition::new(topic, 1)
}

/// Writes as somebody else, without a transaction.
pub(crate) async fn produce(client: &KafkaClient, topic: &str, records: &[Record]) {
    let nobody = ProducerSession { producer_id: -1, epoch: -1 };
    let batch = encode(records, nobody, -1, false).unwrap();
    let produced = client.produce(Produce::new(vec![(place(topic), batch.into())])).await.unwrap();
    assert!(produced.into_values().all(|one| one.is_ok()));
}

/// Demands a certain refusal, and gives its code.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Failure>, kind: ErrorKind) -> String {
    match result {
        Err(Failure::NotApplied(error)) if error.kind() == kind => error.code().to_owned(),
        other => panic!("expected a refusal of kind {kind}, got {other:?}"),
    }
}

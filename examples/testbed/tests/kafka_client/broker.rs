//! A shared broker, clients of it, and batches.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::{Bytes, BytesMut};
use dcp_core::clock::{SeededEntropy, TokioClock};
use dcp_core::kafka::{KafkaClient, KafkaSettings, NewTopic, ProducerSession, TopicId, TopicPartition};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

pub(crate) const NEEDS: &[&str] = &["kafka"];

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

/// The plain listener of the broker that all tests share.
pub(crate) fn shared() -> String {
    port(&testbed::shared("kafka").unwrap()[0], "plain")
}

pub(crate) fn port(address: &testbed::Address, listener: &str) -> String {
    address.ports[listener].to_string()
}

pub(crate) fn client(settings: KafkaSettings) -> KafkaClient {
    KafkaClient::new(settings, Arc::new(TokioClock::new()), Arc::new(SeededEntropy::new(7, "kafka"))).unwrap()
}

pub(crate) fn plain(address: &str) -> KafkaClient {
    client(KafkaSettings::new([address]))
}

/// A name that no other test has.
pub(crate) fn name(of: &str) -> Arc<str> {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    format!("{of}-{}-{}", std::process::id(), TAKEN.fetch_add(1, Ordering::Relaxed)).into()
}

pub(crate) async fn topic(client: &KafkaClient, of: &str, partitions: i32) -> (Arc<str>, TopicId) {
    let name = name(of);
    let made = client.create_topics(&[NewTopic::new(Arc::clone(&name), partitions, 1)]).await.unwrap();
    let id = made[&name].clone().unwrap();
    (name, id)
}

pub(crate) fn at(topic: &Arc<str>, partition: i32) -> TopicPartition {
    TopicPartition::new(Arc::clone(topic), partition)
}

/// A batch of these values, of now: old ones the broker would soon remove.
#[allow(clippy::disallowed_methods, reason = "the broker compares it with its own clock")]
pub(crate) fn batch(session: ProducerSession, sequence: i32, transactional: bool, values: &[&str]) -> Bytes {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let now = i64::try_from(now).unwrap();
    let record = |(offset, value): (i64, &&str)| Record {
        transactional,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: session.producer_id,
        producer_epoch: session.epoch,
        timestamp_type: TimestampType::Creation,
        offset,
        sequence: sequence.wrapping_add(i32::try_from(offset).unwrap()),
        timestamp: now + offset,
        key: None,
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: kafka_protocol::indexmap::IndexMap::new(),
    };
    let records: Vec<_> = (0..).zip(values).map(record).collect();
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut out, &records, &options).unwrap();
    out.freeze()
}

/// No producer: duplicates are not recognised.
pub(crate) const NOBODY: ProducerSession = ProducerSession { producer_id: -1, epoch: -1 };

/// Values in whole batches, control batches left out, with the producer of each.
pub(crate) fn values(mut records: Bytes) -> Vec<(i64, i64, String)> {
    let mut found = Vec::new();
    while records.len() >= 61 {
        let length = 12 + usize::try_from(i32::from_be_bytes(records[8..12].try_into().unwrap())).unwrap();
        if records.len() < length {
            break;
        }
        let mut one = records.split_to(length);
        for record in kafka_protocol::records::RecordBatchDecoder::decode(&mut one).unwrap().records {
            if !record.control {
                let text = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                found.push((record.offset, record.producer_id, text));
            }
        }
    }
    found
}

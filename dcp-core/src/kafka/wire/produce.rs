//! A Produce request around records that are never copied.

use std::collections::BTreeMap;

use bytes::BufMut as _;
use kafka_protocol::messages::ProduceRequest;

use super::frame::{Segments, head, put_compact, put_varint};
use crate::error::Error;
use crate::kafka::raw_batch::RawBatch;
use crate::kafka::topic::TopicPartition;

const ACKS_ALL: i16 = -1;
const NO_TAGS: usize = 0;

/// The request for the batches of one leader.
pub(crate) fn encode_produce(
    correlation: i32,
    client: &str,
    transactional_id: Option<&str>,
    timeout_ms: i32,
    batches: &[(&TopicPartition, &RawBatch)],
) -> Result<Segments, Error> {
    let mut topics: BTreeMap<&str, Vec<(i32, &RawBatch)>> = BTreeMap::new();
    for (at, batch) in batches {
        topics.entry(&at.topic).or_default().push((at.partition, batch));
    }
    let mut segments = Segments::default();
    let mut out = head::<ProduceRequest>(correlation, client)?;
    put_compact(&mut out, transactional_id);
    out.put_i16(ACKS_ALL);
    out.put_i32(timeout_ms);
    put_varint(&mut out, topics.len() + 1);
    for (topic, partitions) in topics {
        put_compact(&mut out, Some(topic));
        put_varint(&mut out, partitions.len() + 1);
        for (partition, batch) in partitions {
            out.put_i32(partition);
            put_varint(&mut out, batch.head.len() + batch.body.len() + 1);
            segments.push(std::mem::take(&mut out).freeze());
            segments.push(batch.head.clone());
            segments.push(batch.body.clone());
            put_varint(&mut out, NO_TAGS);
        }
        put_varint(&mut out, NO_TAGS);
    }
    put_varint(&mut out, NO_TAGS);
    segments.push(out.freeze());
    segments.framed()
}

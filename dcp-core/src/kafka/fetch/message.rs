//! What is asked and answered, as it goes over the wire. Pure.

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{BrokerId, FetchRequest as WireRequest};

use super::{AbortedTransaction, FetchFrom, FetchRequest, FetchedPartition, Isolation, decide};
use crate::kafka::client::grouped;
use crate::kafka::refusal::Refusal;
use crate::kafka::topic::TopicPartition;
use crate::kafka::wire::text;

/// The request for these partitions of one leader, without a fetch session.
pub(super) fn request(request: &FetchRequest, items: &[(&TopicPartition, &FetchFrom)]) -> WireRequest {
    let share = request.max_bytes / i32::try_from(items.len()).unwrap_or(i32::MAX).max(1);
    let partition = |at: &TopicPartition, from: &&FetchFrom| {
        FetchPartition::default()
            .with_partition(at.partition)
            .with_current_leader_epoch(from.current_leader_epoch.unwrap_or(-1))
            .with_fetch_offset(from.offset)
            .with_last_fetched_epoch(from.last_fetched_epoch.unwrap_or(-1))
            .with_log_start_offset(-1)
            .with_partition_max_bytes(share.max(1))
    };
    let topics = grouped(items, partition)
        .into_iter()
        .map(|(name, partitions)| FetchTopic::default().with_topic(text(&name).into()).with_partitions(partitions));
    WireRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(i32::try_from(request.max_wait.as_millis()).unwrap_or(i32::MAX))
        .with_min_bytes(request.min_bytes)
        .with_max_bytes(request.max_bytes)
        .with_isolation_level(i8::from(request.isolation == Isolation::ReadCommitted))
        .with_session_epoch(-1)
        .with_topics(topics.collect())
}

/// What a leader says of one partition.
pub(super) fn answer(data: PartitionData) -> decide::Answer {
    let diverged = Some(data.diverging_epoch.end_offset).filter(|offset| *offset >= 0);
    let aborted = data.aborted_transactions.unwrap_or_default().into_iter();
    let aborted = aborted
        .map(|aborted| AbortedTransaction { producer_id: *aborted.producer_id, first_offset: aborted.first_offset });
    decide::Answer {
        refusal: Refusal::check(data.error_code, None).err(),
        diverged,
        found: FetchedPartition {
            records: data.records.unwrap_or_default(),
            log_start: Some(data.log_start_offset).filter(|offset| *offset >= 0),
            last_stable: data.last_stable_offset,
            high_watermark: data.high_watermark,
            aborted: aborted.collect(),
        },
    }
}

//! Where logs begin and end.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::{
    BrokerId, ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};

use super::client::{KafkaClient, PartitionRead, grouped};
use super::refusal::Refusal;
use super::topic::TopicPartition;
use super::wire::text;
use crate::error::Error;

const CLIENT: BrokerId = BrokerId(-1);
const ANY_EPOCH: i32 = -1;

/// Which offset of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OffsetAt {
    /// Of the first record that is kept.
    LogStart,
    /// Below it every transaction has ended: where readers of committed records stop.
    LastStable,
    /// Below it every record is on all replicas in sync: where readers of all records stop.
    HighWatermark,
}

/// An offset of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OffsetFound {
    /// The offset.
    pub offset: i64,
    /// The epoch of the leader that wrote what is before it, if the broker says it.
    pub leader_epoch: Option<i32>,
}

/// Where the records of a leader epoch end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EpochEnd {
    /// The largest epoch of the log that is not above the one asked for; none if all are above.
    pub leader_epoch: Option<i32>,
    /// One past its last record; none if all epochs are above.
    pub end_offset: Option<i64>,
}

impl KafkaClient {
    /// Offsets of partitions, each asked of its leader.
    ///
    /// # Errors
    /// `Invalid` with code `no-topic` if one of them is not there; `Retry` if not all leaders answered
    /// before the deadline; `Refused` if the client may not read it.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn offsets(
        &self,
        partitions: &[TopicPartition],
        at: OffsetAt,
    ) -> Result<BTreeMap<TopicPartition, OffsetFound>, Error> {
        let asked = partitions.iter().map(|partition| (partition.clone(), ())).collect();
        self.shared.by_leader(self.shared.call("asking for offsets"), &Offsets(at), asked).await
    }

    /// Where the records of leader epochs end: a log of which an epoch ends below what was read of it
    /// has lost those records.
    ///
    /// # Errors
    /// As [`offsets`](Self::offsets).
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn epoch_ends(
        &self,
        epochs: &[(TopicPartition, i32)],
    ) -> Result<BTreeMap<TopicPartition, EpochEnd>, Error> {
        let asked = epochs.iter().cloned().collect();
        self.shared.by_leader(self.shared.call("asking for the ends of leader epochs"), &EpochEnds, asked).await
    }
}

struct Offsets(OffsetAt);

impl PartitionRead for Offsets {
    type Item = ();
    type Request = ListOffsetsRequest;
    type Answer = OffsetFound;

    fn request(&self, items: &[(&TopicPartition, &())]) -> ListOffsetsRequest {
        let (timestamp, isolation) = match self.0 {
            OffsetAt::LogStart => (-2, 0),
            OffsetAt::LastStable => (-1, 1),
            OffsetAt::HighWatermark => (-1, 0),
        };
        let partition = |at: &TopicPartition, _: &&()| {
            ListOffsetsPartition::default()
                .with_partition_index(at.partition)
                .with_current_leader_epoch(ANY_EPOCH)
                .with_timestamp(timestamp)
        };
        let topic = |(name, partitions): (Arc<str>, _)| {
            ListOffsetsTopic::default().with_name(text(&name).into()).with_partitions(partitions)
        };
        let topics = grouped(items, partition).into_iter().map(topic).collect();
        ListOffsetsRequest::default().with_replica_id(CLIENT).with_isolation_level(isolation).with_topics(topics)
    }

    fn answers(
        &self,
        answer: ListOffsetsResponse,
    ) -> impl Iterator<Item = (TopicPartition, Result<OffsetFound, Refusal>)> + Send {
        answer.topics.into_iter().flat_map(|topic| {
            let name: Arc<str> = (&**topic.name).into();
            topic.partitions.into_iter().map(move |found| {
                let leader_epoch = Some(found.leader_epoch).filter(|epoch| *epoch >= 0);
                let offset = OffsetFound { offset: found.offset, leader_epoch };
                let at = TopicPartition::new(Arc::clone(&name), found.partition_index);
                (at, Refusal::check(found.error_code, None).map(|()| offset))
            })
        })
    }
}

struct EpochEnds;

impl PartitionRead for EpochEnds {
    type Item = i32;
    type Request = OffsetForLeaderEpochRequest;
    type Answer = EpochEnd;

    fn request(&self, items: &[(&TopicPartition, &i32)]) -> OffsetForLeaderEpochRequest {
        let partition = |at: &TopicPartition, epoch: &&i32| {
            OffsetForLeaderPartition::default()
                .with_partition(at.partition)
                .with_current_leader_epoch(ANY_EPOCH)
                .with_leader_epoch(**epoch)
        };
        let topic = |(name, partitions): (Arc<str>, _)| {
            OffsetForLeaderTopic::default().with_topic(text(&name).into()).with_partitions(partitions)
        };
        let topics = grouped(items, partition).into_iter().map(topic).collect();
        OffsetForLeaderEpochRequest::default().with_replica_id(CLIENT).with_topics(topics)
    }

    fn answers(
        &self,
        answer: OffsetForLeaderEpochResponse,
    ) -> impl Iterator<Item = (TopicPartition, Result<EpochEnd, Refusal>)> + Send {
        answer.topics.into_iter().flat_map(|topic| {
            let name: Arc<str> = (&**topic.topic).into();
            topic.partitions.into_iter().map(move |found| {
                let end = EpochEnd {
                    leader_epoch: Some(found.leader_epoch).filter(|epoch| *epoch >= 0),
                    end_offset: Some(found.end_offset).filter(|offset| *offset >= 0),
                };
                let at = TopicPartition::new(Arc::clone(&name), found.partition);
                (at, Refusal::check(found.error_code, None).map(|()| end))
            })
        })
    }
}

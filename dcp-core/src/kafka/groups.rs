//! Consumer groups and what they have read.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{
    ListGroupsRequest, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
};

use super::client::{CoordinatorOf, Effect, Fault, KafkaClient, Lane, grouped};
use super::refusal::Refusal;
use super::topic::TopicPartition;
use super::topics::{none_done, outcome};
use super::wire::text;
use crate::error::{Error, Failure};

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupListing {
    /// What its members do together; `consumer`, or empty for one that only keeps offsets.
    pub protocol: String,
    /// As brokers say it: `Stable`, `Empty`, `PreparingRebalance`, ...
    pub state: String,
}

/// How far a group has read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupOffset {
    /// Offset of the next record to read.
    pub offset: i64,
    /// The leader epoch of the last record that was read, if the group knows it.
    pub leader_epoch: Option<i32>,
    /// The group's own text.
    pub metadata: String,
}

impl GroupOffset {
    /// An offset without a leader epoch or text.
    #[must_use]
    pub fn new(offset: i64) -> Self {
        Self { offset, leader_epoch: None, metadata: String::new() }
    }
}

/// No member, and so only for a group that has none.
const NO_GENERATION: i32 = -1;

impl KafkaClient {
    /// All groups, each told by the broker that coordinates it.
    ///
    /// # Errors
    /// `Retry` if not all brokers answered before the deadline; `Refused` if the client may not see groups.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn list_groups(&self) -> Result<BTreeMap<Arc<str>, GroupListing>, Error> {
        let mut call = self.shared.call("asking for groups");
        let mut groups = BTreeMap::new();
        let (cluster, _) = self.shared.describe(&mut call, Some(&[])).await?;
        for broker in cluster.brokers.values() {
            let answer = loop {
                let asked = async {
                    let connection = call.connect(broker, Lane::Calls).await?;
                    let answer = call.ask(&connection, &ListGroupsRequest::default()).await.map_err(Fault::error)?;
                    Refusal::check(answer.error_code, None).map_err(|no| no.error(broker))?;
                    Ok(answer)
                };
                match asked.await {
                    Ok(answer) => break answer,
                    Err(error) => call.again(error).await?,
                }
            };
            for group in answer.groups {
                let (protocol, state) = (group.protocol_type.to_string(), group.group_state.to_string());
                groups.insert(Arc::from(&**group.group_id), GroupListing { protocol, state });
            }
        }
        Ok(groups)
    }

    /// How far a group has read: all of its partitions. One that a transaction is just changing is waited for.
    ///
    /// # Errors
    /// `Refused` if the client may not see the group; `Retry` after the deadline. A group that is not there
    /// has read nothing.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn group_offsets(&self, group: &str) -> Result<BTreeMap<TopicPartition, GroupOffset>, Error> {
        let asked = OffsetFetchRequestGroup::default().with_group_id(text(group).into()).with_topics(None);
        let request = OffsetFetchRequest::default().with_groups(vec![asked]).with_require_stable(true);
        let mut call = self.shared.call(format!("asking for the offsets of group {group}"));
        let of = CoordinatorOf::Group(group.into());
        let code = |answer: &OffsetFetchResponse| {
            answer.groups.iter().try_for_each(|group| {
                Refusal::check(group.error_code, None)?;
                let mut partitions = group.topics.iter().flat_map(|topic| &topic.partitions);
                partitions.try_for_each(|found| Refusal::check(found.error_code, None))
            })
        };
        let answer = self.shared.read_at(&mut call, Some(&of), &request, code).await?;
        let mut offsets = BTreeMap::new();
        for topic in answer.groups.into_iter().flat_map(|group| group.topics) {
            let name: Arc<str> = (&**topic.name).into();
            for found in topic.partitions.into_iter().filter(|found| found.committed_offset >= 0) {
                let offset = GroupOffset {
                    offset: found.committed_offset,
                    leader_epoch: Some(found.committed_leader_epoch).filter(|epoch| *epoch >= 0),
                    metadata: found.metadata.map(|metadata| metadata.to_string()).unwrap_or_default(),
                };
                offsets.insert(TopicPartition::new(Arc::clone(&name), found.partition_index), offset);
            }
        }
        Ok(offsets)
    }

    /// Sets how far an idle group has read, each partition for itself. The group is made if it is not there.
    ///
    /// # Errors
    /// Of one partition: `Conflict` if the group has members; `Invalid` with code `no-topic`; `Refused` if the
    /// client may not. Of the call: `Retry` or in doubt after the deadline: call again, or look at
    /// [`group_offsets`](Self::group_offsets).
    ///
    /// # Cancel safety
    /// As in doubt.
    pub async fn commit_group_offsets(
        &self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, GroupOffset>,
    ) -> Result<BTreeMap<TopicPartition, Result<(), Failure>>, Failure> {
        let items: Vec<_> = offsets.iter().collect();
        let partition = |at: &TopicPartition, offset: &&GroupOffset| {
            OffsetCommitRequestPartition::default()
                .with_partition_index(at.partition)
                .with_committed_offset(offset.offset)
                .with_committed_leader_epoch(offset.leader_epoch.unwrap_or(-1))
                .with_committed_metadata(Some(text(&offset.metadata)))
        };
        let topics = grouped(&items, partition).into_iter().map(|(name, partitions)| {
            OffsetCommitRequestTopic::default().with_name(text(&name).into()).with_partitions(partitions)
        });
        let request = OffsetCommitRequest::default()
            .with_group_id(text(group).into())
            .with_generation_id_or_member_epoch(NO_GENERATION)
            .with_topics(topics.collect());
        let mut effect = Effect::new(self.shared.call(format!("setting the offsets of group {group}")));
        let of = CoordinatorOf::Group(group.into());
        let code = |answer: &OffsetCommitResponse| {
            let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
            none_done(partitions.map(|partition| partition.error_code))
        };
        let answer = self.shared.effect_at(&mut effect, Some(&of), &request, true, code).await?;
        let mut outcomes = BTreeMap::new();
        for topic in answer.topics {
            let name: Arc<str> = (&**topic.name).into();
            for found in topic.partitions {
                let at = TopicPartition::new(Arc::clone(&name), found.partition_index);
                let outcome = outcome(&at, found.error_code, None);
                outcomes.insert(at, outcome);
            }
        }
        Ok(outcomes)
    }
}

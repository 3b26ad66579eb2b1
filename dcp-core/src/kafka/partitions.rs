//! More partitions, and fewer records.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, DeleteRecordsRequest, DeleteRecordsResponse,
    DescribeProducersRequest, DescribeProducersResponse,
};

use super::client::{Effect, KafkaClient, PartitionRead, grouped};
use super::offsets::OffsetAt;
use super::refusal::Refusal;
use super::topic::{TopicId, TopicPartition};
use super::topics::{TopicOutcomes, none_done, outcome};
use super::wire::text;
use crate::error::{Error, ErrorKind, Failure};

/// A producer of which a partition still knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActiveProducer {
    /// Whose.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i32,
    /// Sequence of its last record.
    pub last_sequence: i32,
    /// Where its open transaction begins; none if none is open.
    pub transaction_start: Option<i64>,
}

/// What tells one log from another: none of it ever falls in one and the same log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogIdentity {
    /// Another one if the topic was made anew.
    pub topic_id: TopicId,
    /// Counts the leaders.
    pub leader_epoch: i32,
    /// Offset of the first record that is kept.
    pub log_start: i64,
}

impl KafkaClient {
    /// Raises topics' numbers of partitions to a total, each for itself.
    ///
    /// # Errors
    /// Of one topic: `Invalid` for a number that is not above the present one, which is also the answer to
    /// a call that was in doubt and had its effect; `Refused` if the client may not. Of the call:
    /// `NotApplied`, or in doubt: [`topics`](Self::topics) shows it.
    ///
    /// # Cancel safety
    /// As in doubt.
    pub async fn create_partitions(&self, totals: &BTreeMap<Arc<str>, i32>) -> Result<TopicOutcomes<()>, Failure> {
        let topic = |(name, total): (&Arc<str>, &i32)| {
            let topic = CreatePartitionsTopic::default().with_name(text(name).into());
            topic.with_count(*total).with_assignments(None)
        };
        let mut effect = Effect::new(self.shared.call("adding partitions"));
        let request = CreatePartitionsRequest::default()
            .with_topics(totals.iter().map(topic).collect())
            .with_timeout_ms(effect.call.broker_timeout());
        let code = |answer: &CreatePartitionsResponse| none_done(answer.results.iter().map(|result| result.error_code));
        let answer = self.shared.effect_at(&mut effect, None, &request, false, code).await?;
        let each = answer.results.into_iter().map(|result| {
            let outcome = outcome(&**result.name, result.error_code, result.error_message.as_deref());
            (Arc::from(&**result.name), outcome)
        });
        Ok(each.collect())
    }

    /// Removes the records before an offset, for good, and gives the offset of the first one that is kept.
    /// The same call again has the same effect.
    ///
    /// # Errors
    /// `Corrupt` with code `offset-out-of-range` above the high watermark; `Invalid` with code `no-topic`;
    /// `Refused` if the client may not. After a failure, [`offsets`](Self::offsets) shows how far it came.
    ///
    /// # Cancel safety
    /// Some partitions' records may be removed: call again.
    pub async fn delete_records(
        &self,
        before: &BTreeMap<TopicPartition, i64>,
    ) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
        let call = self.shared.call("removing records");
        let asked = DeleteRecords { timeout_ms: call.broker_timeout() };
        let done = self.shared.by_leader(call, &asked, before.clone()).await;
        done.map_err(|error| match error.kind() {
            // Answered, and there is no other partition that may have been done before.
            kind if kind != ErrorKind::Retry && before.len() == 1 => Failure::NotApplied(error),
            _ => Failure::InDoubt(error.clone().after_doubt(&error)),
        })
    }

    /// Producers of which partitions still know.
    ///
    /// # Errors
    /// As [`offsets`](Self::offsets).
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn describe_producers(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Vec<ActiveProducer>>, Error> {
        let asked = partitions.iter().map(|partition| (partition.clone(), ())).collect();
        self.shared.by_leader(self.shared.call("asking for producers"), &Producers, asked).await
    }

    /// What tells these logs from others of the same names.
    ///
    /// # Errors
    /// As [`offsets`](Self::offsets).
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn log_identities(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, LogIdentity>, Error> {
        let starts = self.offsets(partitions, OffsetAt::LogStart).await?;
        let mut names: Vec<_> = partitions.iter().map(|at| Arc::clone(&at.topic)).collect();
        names.sort();
        names.dedup();
        let topics = self.topics(Some(&names)).await?;
        let identity = |at: &TopicPartition| {
            let topic = topics.get(&at.topic)?;
            let leader_epoch = topic.partition(at.partition)?.leader_epoch;
            Some(LogIdentity { topic_id: topic.id, leader_epoch, log_start: starts.get(at)?.offset })
        };
        let gone = |at: &TopicPartition| Error::invalid("no-topic", format!("{at}: it is no longer there"));
        partitions.iter().map(|at| Ok((at.clone(), identity(at).ok_or_else(|| gone(at))?))).collect()
    }
}

struct DeleteRecords {
    timeout_ms: i32,
}

impl PartitionRead for DeleteRecords {
    type Item = i64;
    type Request = DeleteRecordsRequest;
    type Answer = i64;

    fn request(&self, items: &[(&TopicPartition, &i64)]) -> DeleteRecordsRequest {
        let partition = |at: &TopicPartition, before: &&i64| {
            DeleteRecordsPartition::default().with_partition_index(at.partition).with_offset(**before)
        };
        let topic = |(name, partitions): (Arc<str>, _)| {
            DeleteRecordsTopic::default().with_name(text(&name).into()).with_partitions(partitions)
        };
        let topics = grouped(items, partition).into_iter().map(topic).collect();
        DeleteRecordsRequest::default().with_topics(topics).with_timeout_ms(self.timeout_ms)
    }

    fn answers(
        &self,
        answer: DeleteRecordsResponse,
    ) -> impl Iterator<Item = (TopicPartition, Result<i64, Refusal>)> + Send {
        answer.topics.into_iter().flat_map(|topic| {
            let name: Arc<str> = (&**topic.name).into();
            topic.partitions.into_iter().map(move |found| {
                let at = TopicPartition::new(Arc::clone(&name), found.partition_index);
                (at, Refusal::check(found.error_code, None).map(|()| found.low_watermark))
            })
        })
    }
}

struct Producers;

impl PartitionRead for Producers {
    type Item = ();
    type Request = DescribeProducersRequest;
    type Answer = Vec<ActiveProducer>;

    fn request(&self, items: &[(&TopicPartition, &())]) -> DescribeProducersRequest {
        let topic = |(name, partitions): (Arc<str>, _)| {
            TopicRequest::default().with_name(text(&name).into()).with_partition_indexes(partitions)
        };
        let topics = grouped(items, |at, _| at.partition).into_iter().map(topic).collect();
        DescribeProducersRequest::default().with_topics(topics)
    }

    fn answers(
        &self,
        answer: DescribeProducersResponse,
    ) -> impl Iterator<Item = (TopicPartition, Result<Vec<ActiveProducer>, Refusal>)> + Send {
        answer.topics.into_iter().flat_map(|topic| {
            let name: Arc<str> = (&**topic.name).into();
            topic.partitions.into_iter().map(move |found| {
                let at = TopicPartition::new(Arc::clone(&name), found.partition_index);
                let refused = Refusal::check(found.error_code, found.error_message.as_deref());
                let producer =
                    |producer: &kafka_protocol::messages::describe_producers_response::ProducerState| ActiveProducer {
                        producer_id: *producer.producer_id,
                        epoch: producer.producer_epoch,
                        last_sequence: producer.last_sequence,
                        transaction_start: Some(producer.current_txn_start_offset).filter(|offset| *offset >= 0),
                    };
                (at, refused.map(|()| found.active_producers.iter().map(producer).collect()))
            })
        })
    }
}

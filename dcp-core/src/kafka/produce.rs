//! Records in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};

use super::client::{Call, Fault, KafkaClient, LOOKS_MAX, Lane, Shared, together};
use super::raw_batch::{RawBatch, wrong};
use super::refusal::{Refusal, Step};
use super::topic::{BrokerAddress, TopicPartition};
use super::wire::encode_produce;
use crate::error::{Error, Failure};

/// Batches to be written, answered once all replicas in sync have them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Produce {
    /// The transaction they are part of.
    pub transactional_id: Option<Arc<str>>,
    /// One batch for each partition.
    pub batches: Vec<(TopicPartition, RawBatch)>,
}

impl Produce {
    /// Batches that are part of no transaction.
    #[must_use]
    pub fn new(batches: Vec<(TopicPartition, RawBatch)>) -> Self {
        Self { transactional_id: None, batches }
    }

    /// As part of the open transaction of a transactional id.
    #[must_use]
    pub fn with_transactional_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.transactional_id = Some(id.into());
        self
    }

    /// # Errors
    /// `Invalid` for what brokers must not see.
    pub(super) fn check(&self) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        for (at, batch) in &self.batches {
            let once = if seen.insert(at) { Ok(()) } else { Err("it is the second one") };
            once.and_then(|()| batch.check(self.transactional_id.is_some())).map_err(|why| wrong(at, why))?;
        }
        Ok(())
    }
}

/// A batch that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Produced {
    /// Offset of its first record; of the first time, if it was sent again.
    pub base_offset: i64,
    /// Offset of the first record that the log keeps, if the broker says it.
    pub log_start: Option<i64>,
}

/// What became of each batch.
pub type ProduceOutcomes = BTreeMap<TopicPartition, Result<Produced, Failure>>;

impl KafkaClient {
    /// Writes batches, each by its partition's leader. A batch of a producer (idempotent or
    /// transactional) is sent again after a lost connection, since brokers recognise its last five
    /// batches; any other is in doubt then.
    ///
    /// The pieces of a batch are sent as they are; nothing is copied.
    ///
    /// # Errors
    /// Of the whole call, if nothing was sent: `Invalid` for a batch that brokers must not see. Of one
    /// batch: `Fenced` if a newer producer took over, `Invalid` if it is too large or the topic is
    /// not there, `Corrupt` if the broker finds it malformed; in doubt if the deadline passed after it
    /// was sent: read the log, or end the transaction.
    ///
    /// # Cancel safety
    /// What was not sent is not sent any more; what was sent may be written: as in doubt.
    pub async fn produce(&self, produce: Produce) -> Result<ProduceOutcomes, Failure> {
        produce.check().map_err(Failure::NotApplied)?;
        let call = self.shared.call("writing records");
        Ok(self.shared.produce(call, produce).await)
    }
}

fn written(found: &PartitionProduceResponse) -> Produced {
    let log_start = Some(found.log_start_offset).filter(|offset| *offset >= 0);
    Produced { base_offset: found.base_offset, log_start }
}

/// A leader's answer, for who asks once.
pub(super) fn once(wanted: &[TopicPartition], answer: ProduceResponse) -> ProduceOutcomes {
    let unanswered = || Error::corrupt("unreadable-answer", "the leader left the partition out of its answer");
    let doubt = |at: &TopicPartition| (at.clone(), Err(Failure::InDoubt(unanswered().at(at).into_doubt())));
    let mut outcomes: ProduceOutcomes = wanted.iter().map(doubt).collect();
    for topic in answer.responses {
        let name: Arc<str> = (&**topic.name).into();
        for found in topic.partition_responses {
            let at = TopicPartition::new(Arc::clone(&name), found.index);
            let Some(outcome) = outcomes.get_mut(&at) else { continue };
            *outcome = match Refusal::check(found.error_code, found.error_message.as_deref()) {
                Ok(()) => Ok(written(&found)),
                Err(no) if no.is_certain() => Err(Failure::NotApplied(no.error(&at))),
                Err(no) => Err(Failure::InDoubt(no.error(&at).into_doubt())),
            };
        }
    }
    outcomes
}

struct Left {
    batch: RawBatch,
    // Why it may have been written already.
    doubt: Option<Error>,
}

impl Left {
    fn failed(&self, error: Error) -> Failure {
        match &self.doubt {
            None => Failure::NotApplied(error),
            Some(doubt) => Failure::InDoubt(error.after_doubt(doubt)),
        }
    }
}

struct Round {
    left: BTreeMap<TopicPartition, Left>,
    done: ProduceOutcomes,
    why: Option<Error>,
    stale: bool,
}

impl Shared {
    async fn produce(&self, mut call: Call<'_>, produce: Produce) -> ProduceOutcomes {
        let left = |(at, batch)| (at, Left { batch, doubt: None });
        let left = produce.batches.into_iter().map(left).collect();
        let mut round = Round { left, done: BTreeMap::new(), why: None, stale: false };
        let id = produce.transactional_id.as_deref();
        while !round.left.is_empty() {
            round.why = None;
            if let Err(error) = self.round(&mut call, id, &mut round).await {
                round.give_up(&error);
                break;
            }
            if round.left.is_empty() {
                break;
            }
            let unanswered = || Error::corrupt("unreadable-answer", "a leader left a partition out of its answer");
            if let Err(error) = call.again(round.why.take().unwrap_or_else(unanswered)).await {
                round.give_up(&error);
            }
        }
        round.done
    }

    async fn round(&self, call: &mut Call<'_>, id: Option<&str>, round: &mut Round) -> Result<(), Error> {
        let wanted: Vec<TopicPartition> = round.left.keys().cloned().collect();
        let led = self.leaders(call, wanted.iter(), &mut round.stale).await?;
        for at in led.absent.iter().chain(&led.leaderless) {
            let refusal = led.lacking(at);
            round.refused(at, refusal, true, Step::Relearn, call.failed());
        }
        let sending = led.leaders.iter().map(|(leader, partitions)| send(call, id, &round.left, leader, partitions));
        let outcomes = together(sending).await;
        for ((_, partitions), outcome) in led.leaders.iter().zip(outcomes) {
            match outcome {
                Ok(answer) => round.answered(call, answer),
                Err(fault) => round.fault(partitions, fault),
            }
        }
        Ok(())
    }
}

impl Round {
    fn give_up(&mut self, error: &Error) {
        for (at, left) in std::mem::take(&mut self.left) {
            let failure = left.failed(error.clone().at(&at));
            self.done.insert(at, Err(failure));
        }
    }

    fn finish(&mut self, at: &TopicPartition, error: Error) {
        if let Some(left) = self.left.remove(at) {
            self.done.insert(at.clone(), Err(left.failed(error)));
        }
    }

    fn answered(&mut self, call: &Call<'_>, answer: ProduceResponse) {
        for topic in answer.responses {
            let name: Arc<str> = (&**topic.name).into();
            for found in topic.partition_responses {
                let at = TopicPartition::new(Arc::clone(&name), found.index);
                match Refusal::check(found.error_code, found.error_message.as_deref()) {
                    Ok(()) => {
                        if self.left.remove(&at).is_some() {
                            self.done.insert(at, Ok(written(&found)));
                        }
                    }
                    Err(no) => self.refused(&at, no.error(&at), no.is_certain(), no.step(), call.failed()),
                }
            }
        }
    }

    fn refused(&mut self, at: &TopicPartition, error: Error, certain: bool, step: Step, failed: u32) {
        let Some(left) = self.left.get_mut(at) else { return };
        if !certain {
            left.doubt = Some(error.clone());
        }
        let repeatable = left.doubt.is_none() || left.batch.producer_id().is_some();
        // Sent at once with the one before it and lost with it, it came first: that one is on its way too.
        let overtook = left.doubt.is_some() && error.code() == "sequence-out-of-order";
        let lasting = (step == Step::Stop && !overtook) || (error.code() == "no-topic" && failed + 1 >= LOOKS_MAX);
        if lasting || !repeatable {
            return self.finish(at, error);
        }
        self.stale |= step == Step::Relearn;
        self.why = Some(Error::retry("not-yet", error.message()));
    }

    fn fault(&mut self, partitions: &[&TopicPartition], fault: Fault) {
        self.stale = true;
        let (error, sent) = match fault {
            Fault::Unsent(error) => (error, false),
            Fault::Unanswered(error) => (error, true),
        };
        for at in partitions {
            let Some(left) = self.left.get_mut(*at) else { continue };
            if sent {
                left.doubt = Some(error.clone());
                if left.batch.producer_id().is_none() {
                    self.finish(at, error.clone());
                }
            }
        }
        self.why = Some(error);
    }
}

/// Producers whose batches wait for replicas hold up only the lane they share with others.
const LANES: i64 = 4;

fn lane(batches: &[(&TopicPartition, &RawBatch)]) -> Lane {
    let producer = batches.first().and_then(|(_, batch)| batch.producer_id()).unwrap_or(0);
    Lane::Produce(u8::try_from(producer % LANES).unwrap_or(0))
}

async fn send(
    call: &Call<'_>,
    id: Option<&str>,
    left: &BTreeMap<TopicPartition, Left>,
    leader: &BrokerAddress,
    partitions: &[&TopicPartition],
) -> Result<ProduceResponse, Fault> {
    let batches: Vec<_> = partitions.iter().filter_map(|at| left.get(*at).map(|left| (*at, &left.batch))).collect();
    let connection = call.connect(leader, lane(&batches)).await.map_err(Fault::Unsent)?;
    if id.is_some() {
        connection.versions().allow_transactions(connection.node()).map_err(Fault::Unsent)?;
    }
    let timeout = call.broker_timeout();
    call.ask_with::<ProduceRequest>(&connection, |correlation, client| {
        encode_produce(correlation, client, id, timeout, &batches)
    })
    .await
}

//! Records out.

mod decide;
mod message;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{FetchRequest as WireRequest, FetchResponse};

use super::client::{Call, KafkaClient, LOOKS_MAX, Lane, Shared, together};
use super::refusal::Refusal;
use super::topic::{BrokerAddress, TopicPartition};
use crate::error::Error;
use decide::{Next, next};

/// Which records are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Isolation {
    /// Up to the last stable offset, with a list of the transactions among them that were aborted.
    ReadCommitted,
    /// Up to the high watermark.
    ReadUncommitted,
}

/// From where one partition is read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchFrom {
    /// The partition.
    pub partition: TopicPartition,
    /// Offset of the first record that is wanted. The first batch may begin before it.
    pub offset: i64,
    /// The leader epoch the caller knows: a broker with another one does not answer with records.
    pub current_leader_epoch: Option<i32>,
    /// The leader epoch of the last record that was read: a log that went another way from there on is
    /// found out.
    pub last_fetched_epoch: Option<i32>,
}

impl FetchFrom {
    /// From an offset, without a look at leader epochs.
    #[must_use]
    pub fn new(partition: TopicPartition, offset: i64) -> Self {
        Self { partition, offset, current_leader_epoch: None, last_fetched_epoch: None }
    }

    /// With the leader epoch that the caller knows.
    #[must_use]
    pub fn with_current_leader_epoch(mut self, epoch: i32) -> Self {
        self.current_leader_epoch = Some(epoch);
        self
    }

    /// With the leader epoch of the last record that was read.
    #[must_use]
    pub fn with_last_fetched_epoch(mut self, epoch: i32) -> Self {
        self.last_fetched_epoch = Some(epoch);
        self
    }
}

/// What is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchRequest {
    /// From where.
    pub partitions: Vec<FetchFrom>,
    /// Which records (committed ones).
    pub isolation: Isolation,
    /// How long a leader waits for `min_bytes` (not at all).
    pub max_wait: Duration,
    /// So many bytes are worth an answer (1).
    pub min_bytes: i32,
    /// Most bytes of a leader's answer (1 MiB), which a first batch that is larger exceeds. Each
    /// partition has an equal part of it.
    pub max_bytes: i32,
}

impl FetchRequest {
    /// A read with the defaults named at the fields.
    #[must_use]
    pub fn new(partitions: Vec<FetchFrom>) -> Self {
        let isolation = Isolation::ReadCommitted;
        Self { partitions, isolation, max_wait: Duration::ZERO, min_bytes: 1, max_bytes: 1 << 20 }
    }

    /// With another isolation.
    #[must_use]
    pub fn with_isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// With a wait for records, up to an hour.
    #[must_use]
    pub fn with_max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait.min(Duration::from_secs(3600));
        self
    }

    /// With other bounds of a leader's answer, in bytes.
    #[must_use]
    pub fn with_bytes(mut self, min: i32, max: i32) -> Self {
        (self.min_bytes, self.max_bytes) = (min.max(0), max.max(1));
        self
    }
}

/// What was read of one partition.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fetched {
    /// The partition.
    pub partition: TopicPartition,
    /// Its records, or why there are none.
    pub result: Result<FetchedPartition, Error>,
}

/// Records of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchedPartition {
    /// Batches as they are in the log; the last one may be cut. A slice of the whole answer, which stays
    /// in memory as long as it.
    pub records: Bytes,
    /// Offset of the first record that the log keeps, if the broker says it.
    pub log_start: Option<i64>,
    /// Below it every transaction has ended.
    pub last_stable: i64,
    /// Below it every record is on all replicas in sync.
    pub high_watermark: i64,
    /// Transactions that were aborted and of which records may be among these, by first offset.
    pub aborted: Vec<AbortedTransaction>,
}

/// A transaction whose records are not to be shown, up to its end marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "the protocol has these two")]
pub struct AbortedTransaction {
    /// Whose.
    pub producer_id: i64,
    /// Where it begins in this partition.
    pub first_offset: i64,
}

/// Connections of one reader's own, so that its long polls hold nobody up. They are closed with it.
#[derive(Debug)]
pub struct FetchSession {
    client: KafkaClient,
    lane: u64,
}

impl Drop for FetchSession {
    fn drop(&mut self) {
        self.client.shared.pool.forget(Lane::Fetch(self.lane));
    }
}

impl KafkaClient {
    /// Connections of one reader's own.
    #[must_use]
    pub fn fetch_session(&self) -> FetchSession {
        FetchSession { client: self.clone(), lane: self.shared.lanes.fetch_add(1, Ordering::Relaxed) }
    }

    /// As [`FetchSession::fetch`], on connections that all such reads share: for reads without a wait.
    ///
    /// # Errors
    /// As [`FetchSession::fetch`].
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn fetch(&self, request: FetchRequest) -> Result<Vec<Fetched>, Error> {
        self.shared.fetch(Lane::Fetch(0), request).await
    }
}

impl FetchSession {
    /// Reads partitions, each from its leader; the answers of all leaders are waited for. Partitions
    /// come back in the order in which they were asked for.
    ///
    /// # Errors
    /// Of the whole call: `Retry` if no broker answered before the deadline; `Refused` if the client may not
    /// connect. Of one partition: `Invalid` with code `no-topic`; `Corrupt` if the log does not hold the
    /// offset, went another way, or was made anew; `Conflict` with code `leader-moved` if the caller's
    /// leader epoch is out of date; `Refused` if the client may not read it; `Retry` if its leader did not
    /// answer and another partition's did.
    ///
    /// # Cancel safety
    /// Cancel safe. The leader finishes its wait before it answers the next read of this session.
    pub async fn fetch(&self, request: FetchRequest) -> Result<Vec<Fetched>, Error> {
        self.client.shared.fetch(Lane::Fetch(self.lane), request).await
    }
}

impl Shared {
    async fn fetch(&self, lane: Lane, request: FetchRequest) -> Result<Vec<Fetched>, Error> {
        let mut call = self.call("reading records").waiting(request.max_wait);
        let order: Vec<_> = request.partitions.iter().map(|from| from.partition.clone()).collect();
        let mut left: BTreeMap<_, _> = request.partitions.iter().map(|from| (from.partition.clone(), from)).collect();
        let (mut done, mut stale) = (BTreeMap::new(), false);
        while !left.is_empty() {
            let mut why = None;
            let led = self.leaders(&mut call, left.keys(), &mut stale).await?;
            let mut found: Vec<(TopicPartition, Next)> = Vec::new();
            for at in led.absent.iter().chain(&led.leaderless) {
                found.push(((*at).clone(), decide::lacking(led.lacking(at), call.failed())));
            }
            let asking = led.leaders.iter().map(|(leader, at)| ask(&call, lane, &request, &left, leader, at));
            for outcome in together(asking).await {
                match outcome {
                    Ok(answer) => found.extend(self.judge(&left, answer, &call)),
                    Err(error) => {
                        stale = true;
                        why = Some(error);
                    }
                }
            }
            for (at, next) in found {
                match next {
                    Next::Done(result) => {
                        left.remove(&at);
                        done.insert(at, result);
                    }
                    Next::Again { why: error, relearn } => {
                        stale |= relearn;
                        why = Some(error);
                    }
                }
            }
            if !left.is_empty() {
                // What was read is not thrown away for what was not.
                if !done.is_empty() && done.values().any(|result: &Result<FetchedPartition, Error>| result.is_ok()) {
                    let unread = why.unwrap_or_else(unanswered);
                    done.extend(left.keys().map(|at| (at.clone(), Err(unread.clone().at(at)))));
                    break;
                }
                call.again(why.unwrap_or_else(unanswered)).await?;
            }
        }
        Ok(order
            .into_iter()
            .filter_map(|at| done.remove(&at).map(|result| Fetched { partition: at, result }))
            .collect())
    }

    fn judge(
        &self,
        left: &BTreeMap<TopicPartition, &FetchFrom>,
        answer: FetchResponse,
        call: &Call<'_>,
    ) -> Vec<(TopicPartition, Next)> {
        let mut found = Vec::new();
        for topic in answer.responses {
            let name: Arc<str> = (&**topic.topic).into();
            for data in topic.partitions {
                let at = TopicPartition::new(Arc::clone(&name), data.partition_index);
                if let Some(from) = left.get(&at) {
                    let known = self.leader_epoch(&at);
                    found.push((at, next(from, message::answer(data), known, call.failed())));
                }
            }
        }
        found
    }
}

/// A leader's answer, for who asks once: in the order in which was asked.
pub(super) fn once(request: &FetchRequest, answer: FetchResponse) -> Result<Vec<Fetched>, Error> {
    Refusal::check(answer.error_code, None).map_err(|no| no.error("the fetch"))?;
    let mut found = BTreeMap::new();
    for topic in answer.responses {
        let name: Arc<str> = (&**topic.topic).into();
        for data in topic.partitions {
            found.insert(TopicPartition::new(Arc::clone(&name), data.partition_index), message::answer(data));
        }
    }
    let each = |from: &FetchFrom| {
        let result = match found.remove(&from.partition).map(|answer| next(from, answer, None, LOOKS_MAX)) {
            Some(Next::Done(result)) => result,
            Some(Next::Again { why, .. }) => Err(why),
            None => Err(unanswered().at(&from.partition)),
        };
        Fetched { partition: from.partition.clone(), result }
    };
    Ok(request.partitions.iter().map(each).collect())
}

/// What asks for all of it at once.
pub(super) fn whole(request: &FetchRequest) -> Result<WireRequest, Error> {
    let mut seen = BTreeSet::new();
    if let Some(twice) = request.partitions.iter().find(|from| !seen.insert(&from.partition)) {
        return Err(Error::invalid("bad-request", format!("{} is asked for twice", twice.partition)));
    }
    let items: Vec<_> = request.partitions.iter().map(|from| (&from.partition, from)).collect();
    Ok(message::request(request, &items))
}

fn unanswered() -> Error {
    Error::corrupt("unreadable-answer", "a leader left a partition out of its answer")
}

async fn ask(
    call: &Call<'_>,
    lane: Lane,
    request: &FetchRequest,
    left: &BTreeMap<TopicPartition, &FetchFrom>,
    leader: &BrokerAddress,
    partitions: &[&TopicPartition],
) -> Result<FetchResponse, Error> {
    let items: Vec<_> = partitions.iter().filter_map(|at| left.get(*at).map(|from| (*at, *from))).collect();
    let connection = call.connect(leader, lane).await?;
    let answer =
        call.ask(&connection, &message::request(request, &items)).await.map_err(super::client::Fault::error)?;
    Refusal::check(answer.error_code, None).map_err(|no| no.error(leader))?;
    Ok(answer)
}

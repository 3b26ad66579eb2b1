//! What all parts of a store share: the client, names, and deadlines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::names::Names;
use super::producer_clients::ProducerClients;
use super::settings::KafkaEventSettings;
use crate::clock::Clock;
use crate::error::Error;
use crate::kafka::{KafkaClient, OffsetAt, TopicDescription, TopicId, TopicPartition};
use crate::position::LogIncarnation;

/// Code of the error that says that a topic is not there any longer.
pub(super) const GONE: &str = "topic-gone";
/// Code of the error that says that another topic is in its place.
pub(super) const OTHER: &str = "other-incarnation";

/// A cluster as one store sees it.
pub(super) struct Cluster {
    /// For reads, and for writes: a read's requests have less time.
    pub(super) client: KafkaClient,
    pub(super) writes: KafkaClient,
    pub(super) settings: KafkaEventSettings,
    pub(super) names: Names,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) producers: ProducerClients,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// How far a read must have come: of a log, or of one key of the state topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// All that was decided when it was asked. Of a log, up to the first record that was not.
    Stable,
    /// All that was written when it was asked, which must then be decided.
    Decided,
}

/// Where a partition stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// Offset that a read must reach.
    pub(super) target: i64,
    pub(super) high_watermark: i64,
    pub(super) leader_epoch: i32,
}

impl Cluster {
    /// A client for one more producer.
    pub(super) fn producer_client(&self) -> Result<KafkaClient, Error> {
        self.producers.next(|| self.writes.apart())
    }

    /// Runs a read, or one step of a long one, within the store's deadline.
    pub(super) async fn within<T>(&self, read: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::select! {
            biased;
            done = read => done,
            () = self.clock.sleep(self.settings.deadline) => Err(late(self.settings.deadline)),
        }
    }

    /// One topic; none if there is none of that name.
    pub(super) async fn topic(&self, name: &Arc<str>) -> Result<Option<TopicDescription>, Error> {
        Ok(self.client.topics(Some(std::slice::from_ref(name))).await?.remove(name))
    }

    /// Where a partition stands, if its topic is still the same.
    ///
    /// # Errors
    /// `Corrupt` if it is not.
    pub(super) async fn standing(&self, place: &TopicPartition, id: TopicId, until: Until) -> Result<Standing, Error> {
        let asked = std::slice::from_ref(place);
        let stable = async {
            match until {
                Until::Stable => self.offset_of(place, OffsetAt::LastStable).await.map(Some),
                Until::Decided => Ok(None),
            }
        };
        let (topic, high, stable) =
            tokio::join!(biased; self.topic(&place.topic), self.client.offsets(asked, OffsetAt::HighWatermark), stable);
        // The topic first: it says why the offsets may not be there.
        let leader_epoch = check_id(topic?.as_ref(), place, id)?;
        let shown = |error: Error| if error.code() == "no-topic" { gone(place, id) } else { error };
        let (high, stable) = (found(high.map_err(shown)?, place)?, stable.map_err(shown)?);
        Ok(Standing { target: stable.unwrap_or(high), high_watermark: high, leader_epoch })
    }

    /// The same for many at once, in one round of requests; none if only each by itself says what is wrong.
    pub(super) async fn standings(&self, asked: &[(TopicPartition, TopicId)], until: Until) -> Option<Vec<Standing>> {
        let names: BTreeSet<_> = asked.iter().map(|(place, _)| Arc::clone(&place.topic)).collect();
        let names: Vec<_> = names.into_iter().collect();
        let places: Vec<_> = asked.iter().map(|(place, _)| place.clone()).collect();
        let stable = async {
            match until {
                Until::Stable => self.client.offsets(&places, OffsetAt::LastStable).await.map(Some),
                Until::Decided => Ok(None),
            }
        };
        let high = self.client.offsets(&places, OffsetAt::HighWatermark);
        let (topics, high, stable) = tokio::join!(biased; self.client.topics(Some(&names)), high, stable);
        let (topics, high, stable) = (topics.ok()?, high.ok()?, stable.ok()?);
        let of = |(place, id): &(TopicPartition, TopicId)| {
            let leader_epoch = check_id(topics.get(&place.topic), place, *id).ok()?;
            let high_watermark = high.get(place)?.offset;
            let target = stable.as_ref().map_or(Some(high_watermark), |stable| Some(stable.get(place)?.offset))?;
            Some(Standing { target, high_watermark, leader_epoch })
        };
        asked.iter().map(of).collect()
    }

    /// One offset of a partition.
    pub(super) async fn offset_of(&self, place: &TopicPartition, at: OffsetAt) -> Result<i64, Error> {
        found(self.client.offsets(std::slice::from_ref(place), at).await?, place)
    }

    /// Refuses a partition whose topic is not the same any longer.
    pub(super) async fn check_topic(&self, place: &TopicPartition, id: TopicId) -> Result<(), Error> {
        check_id(self.topic(&place.topic).await?.as_ref(), place, id).map(drop)
    }
}

fn found(found: BTreeMap<TopicPartition, crate::kafka::OffsetFound>, place: &TopicPartition) -> Result<i64, Error> {
    let offset = found.get(place).map(|found| found.offset);
    offset.ok_or_else(|| Error::retry("no-offset", format!("{place}: the cluster did not answer its offset")))
}

// The partition's leader epoch.
fn check_id(topic: Option<&TopicDescription>, place: &TopicPartition, id: TopicId) -> Result<i32, Error> {
    let Some(topic) = topic else { return Err(gone(place, id)) };
    if topic.id != id {
        let message = format!(
            "topic {} was made anew: its id was {id} and is {}; positions in the old one mean nothing here",
            place.topic, topic.id
        );
        return Err(Error::corrupt(OTHER, message));
    }
    let partition = topic.partition(place.partition).ok_or_else(|| no_partition(place, topic))?;
    Ok(partition.leader_epoch)
}

// Not for ever: a broker that has just come back may not know the topic yet.
fn gone(place: &TopicPartition, id: TopicId) -> Error {
    Error::corrupt(GONE, format!("topic {} of id {id} is not there: it was deleted under the store", place.topic))
}

pub(super) fn no_partition(place: &TopicPartition, topic: &TopicDescription) -> Error {
    let count = topic.partitions.len();
    Error::invalid("no-partition", format!("{place}: the topic has {count} partitions; add some, or name another"))
}

pub(super) fn late(deadline: Duration) -> Error {
    Error::retry("no-answer", format!("the cluster did not answer within {deadline:?}"))
}

/// Code of the error that says that a transaction does not end.
pub(super) const UNDECIDED: &str = "undecided-transaction";

/// A read that needs to know what becomes of what is written here, and was not told in time.
pub(super) fn undecided_at(cluster: &Cluster, place: &TopicPartition, offset: i64) -> Error {
    let (deadline, timeout) = (cluster.settings.deadline, cluster.settings.transaction_timeout);
    let message = format!(
        "{place}: a transaction that has written at offset {offset} was not ended within {deadline:?}, and it may still be \
         committed: open a writer of the log that it wrote for, in the same role, which ends it at once, or wait until \
         the cluster does, {timeout:?} after it began and a little more"
    );
    Error::retry(UNDECIDED, message)
}

/// A topic's id says which incarnation of its logs this is.
pub(super) fn incarnation(id: TopicId) -> LogIncarnation {
    LogIncarnation::from_bytes(*id.as_bytes())
}

/// Milliseconds since 1970, for the timestamps of records: retention and users' tools look at them, and
/// nothing here does.
#[allow(clippy::disallowed_methods)] // No decision depends on it.
pub(super) fn wall_millis() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(0)
}

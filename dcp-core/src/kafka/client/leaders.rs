//! Asking each partition's leader, and the next one if it has moved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Call, Lane, Shared, together};
use crate::error::Error;
use crate::kafka::refusal::{Refusal, Step};
use crate::kafka::topic::{BrokerAddress, TopicPartition};
use crate::kafka::wire::Spoken;

/// A topic that was just made is not known everywhere at once: so often it is looked for.
pub(crate) const LOOKS_MAX: u32 = 5;

/// What is asked of partitions, one request to each leader. Pure.
pub(crate) trait PartitionRead: Sync {
    type Item: Send + Sync;
    type Request: Spoken;
    type Answer: Send;

    fn request(&self, items: &[(&TopicPartition, &Self::Item)]) -> Self::Request;

    fn answers(
        &self,
        answer: <Self::Request as Spoken>::Answer,
    ) -> impl Iterator<Item = (TopicPartition, Result<Self::Answer, Refusal>)> + Send;
}

/// Items by topic, as most requests want them.
pub(crate) fn grouped<'a, T, P>(
    items: &[(&'a TopicPartition, T)],
    mut each: impl FnMut(&'a TopicPartition, &T) -> P,
) -> BTreeMap<Arc<str>, Vec<P>> {
    let mut topics: BTreeMap<Arc<str>, Vec<P>> = BTreeMap::new();
    for (at, item) in items {
        topics.entry(Arc::clone(&at.topic)).or_default().push(each(at, item));
    }
    topics
}

/// Partitions by the broker that leads them, and those of which no leader is known.
pub(crate) struct Led<'a> {
    pub(crate) leaders: BTreeMap<BrokerAddress, Vec<&'a TopicPartition>>,
    pub(crate) absent: Vec<&'a TopicPartition>,
    pub(crate) leaderless: Vec<&'a TopicPartition>,
}

impl Led<'_> {
    /// Why not every partition has a leader.
    pub(crate) fn lacking(&self, at: &TopicPartition) -> Error {
        if self.absent.contains(&at) {
            return Error::invalid("no-topic", format!("{at}: there is no such topic or partition; create it"));
        }
        Error::retry("no-leader", format!("{at}: the partition has no leader that can be reached"))
    }
}

impl Shared {
    /// Finds the leaders. What is not known yet, or is in `stale`, is learnt anew.
    pub(crate) async fn leaders<'a>(
        &self,
        call: &mut Call<'_>,
        wanted: impl Iterator<Item = &'a TopicPartition> + Clone,
        stale: &mut bool,
    ) -> Result<Led<'a>, Error> {
        let led = self.sort(wanted.clone());
        if !*stale && led.absent.is_empty() && led.leaderless.is_empty() {
            return Ok(led);
        }
        let topics: BTreeSet<_> = wanted.clone().map(|at| Arc::clone(&at.topic)).collect();
        let topics: Vec<_> = topics.into_iter().collect();
        self.describe(call, Some(&topics)).await?;
        *stale = false;
        Ok(self.sort(wanted))
    }

    /// The leader epoch that was last learnt.
    pub(crate) fn leader_epoch(&self, at: &TopicPartition) -> Option<i32> {
        self.known().topics.get(&at.topic)?.partition(at.partition).map(|partition| partition.leader_epoch)
    }

    fn sort<'a>(&self, wanted: impl Iterator<Item = &'a TopicPartition>) -> Led<'a> {
        let known = self.known();
        let mut led = Led { leaders: BTreeMap::new(), absent: Vec::new(), leaderless: Vec::new() };
        for at in wanted {
            let partition = known.topics.get(&at.topic).and_then(|topic| topic.partition(at.partition));
            let Some(partition) = partition else {
                led.absent.push(at);
                continue;
            };
            match partition.leader.and_then(|leader| known.brokers.get(&leader)) {
                Some(leader) => led.leaders.entry(leader.clone()).or_default().push(at),
                None => led.leaderless.push(at),
            }
        }
        led
    }

    /// Asks until every partition has answered.
    ///
    /// # Errors
    /// The first partition's that cannot be cured by asking again.
    pub(crate) async fn by_leader<Q: PartitionRead>(
        &self,
        mut call: Call<'_>,
        asked: &Q,
        mut left: BTreeMap<TopicPartition, Q::Item>,
    ) -> Result<BTreeMap<TopicPartition, Q::Answer>, Error> {
        let (mut done, mut stale) = (BTreeMap::new(), false);
        while !left.is_empty() {
            let mut why = None;
            let mut answers = Vec::new();
            let led = self.leaders(&mut call, left.keys(), &mut stale).await?;
            if let Some(at) = led.absent.first().or(led.leaderless.first()) {
                why = Some(lacking_for_now(&call, led.lacking(at))?);
                stale = true;
            }
            let asking =
                led.leaders.iter().map(|(leader, partitions)| ask_leader(&call, asked, &left, leader, partitions));
            for outcome in together(asking).await {
                match outcome {
                    Ok(answered) => answers.extend(answered),
                    Err(error) => {
                        stale = true;
                        why = Some(error);
                    }
                }
            }
            for (at, answer) in answers {
                match answer {
                    Ok(answer) if left.remove(&at).is_some() => drop(done.insert(at, answer)),
                    Ok(_) => {}
                    Err(refusal) => {
                        let error = refusal.error(&at);
                        match refusal.step() {
                            Step::Stop => return Err(call.named(error)),
                            Step::Again => {}
                            Step::Relearn => stale = true,
                        }
                        why = Some(lacking_for_now(&call, error)?);
                    }
                }
            }
            if !left.is_empty() {
                let unanswered = || Error::corrupt("unreadable-answer", "a leader left a partition out of its answer");
                call.again(why.unwrap_or_else(unanswered)).await?;
            }
        }
        Ok(done)
    }
}

/// A topic that is not there is looked for again a few times.
pub(crate) fn lacking_for_now(call: &Call<'_>, error: Error) -> Result<Error, Error> {
    if error.code() != "no-topic" {
        return Ok(error);
    }
    if call.failed() + 1 < LOOKS_MAX { Ok(Error::retry("no-topic", error.message())) } else { Err(call.named(error)) }
}

type Answers<Q> = Vec<(TopicPartition, Result<<Q as PartitionRead>::Answer, Refusal>)>;

async fn ask_leader<Q: PartitionRead>(
    call: &Call<'_>,
    asked: &Q,
    left: &BTreeMap<TopicPartition, Q::Item>,
    leader: &BrokerAddress,
    partitions: &[&TopicPartition],
) -> Result<Answers<Q>, Error> {
    let items: Vec<_> = partitions.iter().filter_map(|at| left.get(*at).map(|item| (*at, item))).collect();
    let connection = call.connect(leader, Lane::Calls).await?;
    let answer = call.ask(&connection, &asked.request(&items)).await.map_err(super::Fault::error)?;
    Ok(asked.answers(answer).collect())
}

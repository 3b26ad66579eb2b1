//! What is known of the cluster, and learning it anew.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};

use super::unanswered::Unanswered;
use super::{Call, Lane, Shared, lock};
use crate::error::Error;
use crate::kafka::refusal::Refusal;
use crate::kafka::topic::{BrokerAddress, ClusterDescription, PartitionDescription, TopicDescription, TopicId};
use crate::kafka::wire::text;

/// More topics are not kept; what is known of them is then learnt anew.
const TOPICS_MAX: usize = 10_000;
const NO_TOPIC: i16 = 3;

/// The cluster as it was last described.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) brokers: BTreeMap<i32, BrokerAddress>,
    pub(super) topics: BTreeMap<Arc<str>, TopicDescription>,
}

impl Shared {
    pub(super) fn known(&self) -> Arc<Known> {
        Arc::clone(&lock(&self.known))
    }

    /// Asks any broker that answers; known ones first, each in its turn.
    pub(crate) async fn describe(
        &self,
        call: &mut Call<'_>,
        topics: Option<&[Arc<str>]>,
    ) -> Result<(ClusterDescription, BTreeMap<Arc<str>, TopicDescription>), Error> {
        let names = topics.map(|names| {
            let named = |name: &Arc<str>| MetadataRequestTopic::default().with_name(Some(text(name).into()));
            names.iter().map(named).collect()
        });
        let request = MetadataRequest::default().with_topics(names).with_allow_auto_topic_creation(false);
        loop {
            let asked = self.ask_any(call, &request).await;
            match asked.and_then(|answer| read(&answer, call.what())) {
                Ok((cluster, found)) => {
                    self.learn(&cluster, topics, &found);
                    return Ok((cluster, found));
                }
                Err(error) => {
                    self.turn.fetch_add(1, Ordering::Relaxed);
                    call.again(error).await?;
                }
            }
        }
    }

    async fn ask_any(&self, call: &Call<'_>, request: &MetadataRequest) -> Result<MetadataResponse, Error> {
        let unanswered = Unanswered::new(self, None);
        let asked = async {
            let connection = call.connect(&self.any(), Lane::Calls).await?;
            call.ask(&connection, request).await.map_err(super::Fault::error)
        };
        let answer = asked.await;
        unanswered.disarm();
        answer
    }

    /// A broker: known ones, then those to begin with; another one after each failure.
    pub(super) fn any(&self) -> BrokerAddress {
        let known = self.known();
        let all: Vec<_> = known.brokers.values().chain(&self.bootstrap).collect();
        let turn = usize::try_from(self.turn.load(Ordering::Relaxed)).unwrap_or(0) % all.len().max(1);
        all.get(turn).map_or_else(|| BrokerAddress::new("", 0), |address| (*address).clone())
    }

    pub(super) fn take_turn(&self) {
        self.turn.fetch_add(1, Ordering::Relaxed);
    }

    fn learn(
        &self,
        cluster: &ClusterDescription,
        asked: Option<&[Arc<str>]>,
        found: &BTreeMap<Arc<str>, TopicDescription>,
    ) {
        let mut known = lock(&self.known);
        let mut next = Known { brokers: cluster.brokers.clone(), topics: known.topics.clone() };
        match asked {
            None => next.topics.clear(),
            Some(names) => names.iter().for_each(|name| drop(next.topics.remove(name))),
        }
        if next.topics.len() + found.len() > TOPICS_MAX {
            next.topics.clear();
        }
        next.topics.extend(found.iter().take(TOPICS_MAX).map(|(name, topic)| (Arc::clone(name), topic.clone())));
        *known = Arc::new(next);
    }
}

type Described = (ClusterDescription, BTreeMap<Arc<str>, TopicDescription>);

fn read(answer: &MetadataResponse, what: &str) -> Result<Described, Error> {
    let broker = |broker: &kafka_protocol::messages::metadata_response::MetadataResponseBroker| {
        let port = u16::try_from(broker.port).ok().filter(|port| *port > 0);
        let wrong =
            || Error::corrupt("unreadable-answer", format!("broker {:?} has port {}", broker.host, broker.port));
        Ok((*broker.node_id, BrokerAddress::new(&*broker.host, port.ok_or_else(wrong)?)))
    };
    let brokers = answer.brokers.iter().map(broker).collect::<Result<BTreeMap<_, _>, Error>>()?;
    if brokers.is_empty() {
        return Err(Error::retry("no-brokers", format!("{what}: the broker knows of no broker yet")));
    }
    let mut topics = BTreeMap::new();
    for topic in &answer.topics {
        let name: Arc<str> = topic.name.as_ref().map_or("", |name| &**name).into();
        match Refusal::check(topic.error_code, None) {
            Ok(()) => drop(topics.insert(Arc::clone(&name), of_topic(name, topic))),
            // No leader or listener for one of its partitions: it is there.
            Err(refusal) if [5, 72].contains(&refusal.code) => {
                topics.insert(Arc::clone(&name), of_topic(name, topic));
            }
            Err(refusal) if refusal.code == NO_TOPIC => {}
            Err(refusal) => return Err(refusal.error(format_args!("topic {name}"))),
        }
    }
    let controller = Some(*answer.controller_id).filter(|controller| *controller >= 0);
    let id = answer.cluster_id.as_ref().map(ToString::to_string).unwrap_or_default();
    Ok((ClusterDescription { id, brokers, controller }, topics))
}

fn of_topic(name: Arc<str>, topic: &MetadataResponseTopic) -> TopicDescription {
    let numbers = |numbers: &[kafka_protocol::messages::BrokerId]| numbers.iter().map(|number| **number).collect();
    let of_partition = |partition: &MetadataResponsePartition| PartitionDescription {
        partition: partition.partition_index,
        leader: Some(*partition.leader_id).filter(|leader| *leader >= 0),
        leader_epoch: partition.leader_epoch,
        replicas: numbers(&partition.replica_nodes),
        in_sync: numbers(&partition.isr_nodes),
    };
    let mut partitions: Vec<_> = topic.partitions.iter().map(of_partition).collect();
    partitions.sort_by_key(|partition| partition.partition);
    TopicDescription {
        name,
        id: TopicId::from_bytes(*topic.topic_id.as_bytes()),
        partitions,
        internal: topic.is_internal,
    }
}

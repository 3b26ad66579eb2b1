//! The store's own topics: made when they are missed, never altered.

use std::sync::Arc;

use super::cluster::Cluster;
use crate::error::{Error, Failure};
use crate::kafka::{NewTopic, TopicDescription};

/// Replicas of the store's own topics, where there are as many brokers.
const REPLICAS: i16 = 3;
/// How often it is looked for a topic that was just made.
const LOOKS: u32 = 50;

/// The state topic, made if it is missed.
pub(super) async fn ensure_state(cluster: &Cluster) -> Result<TopicDescription, Error> {
    let partitions = cluster.settings.state_partitions;
    ensure(cluster, cluster.names.state(), partitions, |topic| topic.with_config("cleanup.policy", "compact")).await
}

/// A topic of heartbeats.
pub(super) async fn ensure_companion(cluster: &Cluster, name: &Arc<str>) -> Result<TopicDescription, Error> {
    ensure(cluster, Arc::clone(name), 1, |topic| topic.with_config("cleanup.policy", "delete")).await
}

async fn ensure(
    cluster: &Cluster,
    name: Arc<str>,
    partitions: i32,
    configure: impl FnOnce(NewTopic) -> NewTopic,
) -> Result<TopicDescription, Error> {
    if let Some(topic) = cluster.topic(&name).await? {
        return Ok(topic);
    }
    let replicas = replicas(cluster).await?;
    let topic = configure(NewTopic::new(Arc::clone(&name), partitions, replicas))
        .with_config("compression.type", "producer")
        .with_config("min.insync.replicas", in_sync(replicas).to_string());
    match cluster.client.create_topics(&[topic]).await {
        Ok(mut outcomes) => match outcomes.remove(&name) {
            None | Some(Ok(_)) => {}
            Some(Err(failure)) => made_by_another(failure)?,
        },
        Err(failure) => made_by_another(failure)?,
    }
    for _ in 0..LOOKS {
        if let Some(topic) = cluster.topic(&name).await?.filter(|topic| has_leaders(topic)) {
            return Ok(topic);
        }
        cluster.clock.sleep(std::time::Duration::from_millis(10)).await;
    }
    Err(Error::retry("topic-not-shown", format!("topic {name} was made and is not shown yet")))
}

fn has_leaders(topic: &TopicDescription) -> bool {
    !topic.partitions.is_empty() && topic.partitions.iter().all(|partition| partition.leader.is_some())
}

// Looking again shows whether it is there.
fn made_by_another(failure: Failure) -> Result<(), Error> {
    match failure {
        Failure::InDoubt(_) => Ok(()),
        Failure::NotApplied(error) if error.code() == "topic-exists" => Ok(()),
        Failure::NotApplied(error) => Err(error),
    }
}

async fn replicas(cluster: &Cluster) -> Result<i16, Error> {
    if let Some(replicas) = cluster.settings.replication_factor {
        return Ok(replicas);
    }
    let brokers = cluster.client.cluster().await?.brokers.len();
    Ok(i16::try_from(brokers).unwrap_or(REPLICAS).clamp(1, REPLICAS))
}

/// One less than all, so that one may be missing, where there are enough.
fn in_sync(replicas: i16) -> i16 {
    (replicas - 1).clamp(1, 2)
}

/// Largest batch that a topic takes, in bytes.
pub(super) async fn record_max(cluster: &Cluster, topic: &Arc<str>) -> Result<usize, Error> {
    let _ = (cluster, topic);
    Ok(2 << 20)
}

//! The store's own topics: made when they are missed, never altered.

use std::sync::Arc;

use super::broker_admin::KafkaBrokerAdmin;
use super::cluster::Cluster;
use crate::error::{Error, Failure};
use crate::kafka::{ConfigResource, TopicDescription};
use crate::ports::broker_admin::{BrokerAdmin as _, TopicSpec};

/// Replicas of the store's own topics, where there are as many brokers.
const REPLICAS: u16 = 3;
/// The setting that bounds a batch.
const RECORD_MAX: &str = "max.message.bytes";

/// The state topic, made if it is missed.
pub(super) async fn ensure_state(cluster: &Cluster) -> Result<TopicDescription, Error> {
    let partitions = cluster.settings.state_partitions;
    let topic = ensure(cluster, cluster.names.state(), partitions, "compact").await?;
    let count = topic.partitions.len();
    if u32::try_from(count).ok() == Some(partitions) {
        return Ok(topic);
    }
    let message = format!(
        "topic {} has {count} partitions, the settings say {partitions}: it keeps the count it was made with, since a \
         key's place follows from it",
        topic.name
    );
    Err(Error::invalid("other-partition-count", message))
}

/// A topic of heartbeats.
pub(super) async fn ensure_companion(cluster: &Cluster, name: &Arc<str>) -> Result<TopicDescription, Error> {
    ensure(cluster, Arc::clone(name), 1, "delete").await
}

async fn ensure(
    cluster: &Cluster,
    name: Arc<str>,
    partitions: u32,
    policy: &'static str,
) -> Result<TopicDescription, Error> {
    if let Some(topic) = cluster.topic(&name).await? {
        return Ok(topic);
    }
    let replicas = replicas(cluster).await?;
    let spec = TopicSpec::new(&*name, partitions, replicas)
        .with_setting("cleanup.policy", policy)
        .with_setting("compression.type", "producer")
        .with_setting("min.insync.replicas", in_sync(replicas).to_string());
    let admin = KafkaBrokerAdmin::new(cluster.client.clone(), Arc::clone(&cluster.clock));
    match admin.ensure(&[spec]).await {
        Ok(()) => {}
        Err(Failure::NotApplied(error)) => return Err(error),
        Err(Failure::InDoubt(doubt)) => return Err(Error::retry("topic-in-doubt", doubt.to_string())),
    }
    let made = cluster.topic(&name).await?;
    made.ok_or_else(|| Error::retry("topic-not-shown", format!("topic {name} was made and is not shown yet")))
}

async fn replicas(cluster: &Cluster) -> Result<u16, Error> {
    if let Some(replicas) = cluster.settings.replication_factor {
        return Ok(replicas);
    }
    let brokers = cluster.client.cluster().await?.brokers.len();
    Ok(u16::try_from(brokers).unwrap_or(REPLICAS).clamp(1, REPLICAS))
}

/// One less than all, so that one may be missing, where there are enough.
fn in_sync(replicas: u16) -> u16 {
    (replicas - 1).clamp(1, 2)
}

/// Largest batch that a topic takes, in bytes.
pub(super) async fn record_max(cluster: &Cluster, topic: &Arc<str>) -> Result<usize, Error> {
    let resource = ConfigResource::Topic(Arc::clone(topic));
    let found = cluster.client.describe_configs(std::slice::from_ref(&resource)).await?;
    let value =
        found.get(&resource).and_then(|configs| configs.get(RECORD_MAX)).and_then(|config| config.value.as_ref());
    value.and_then(|value| value.parse().ok()).ok_or_else(|| {
        Error::retry("no-setting", format!("topic {topic}: the cluster did not answer its {RECORD_MAX}: {value:?}"))
    })
}

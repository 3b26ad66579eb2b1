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
/// The setting that says what becomes of old records, and its two values.
const POLICY: &str = "cleanup.policy";
const DELETE: &str = "delete";
const COMPACT: &str = "compact";

/// The state topic, made if it is missed.
pub(super) async fn ensure_state(cluster: &Cluster) -> Result<TopicDescription, Error> {
    let partitions = cluster.settings.state_partitions;
    let topic = ensure(cluster, cluster.names.state(), partitions, COMPACT).await?;
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
    ensure(cluster, Arc::clone(name), 1, DELETE).await
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
        .with_setting(POLICY, policy)
        // A log that loses its first record takes no more appends.
        .with_setting("retention.ms", "-1")
        .with_setting("compression.type", "producer")
        .with_setting("min.insync.replicas", in_sync(replicas).to_string());
    let admin = KafkaBrokerAdmin::new(cluster.writes.clone(), Arc::clone(&cluster.clock));
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

/// Largest batch that the topic of a log takes, in bytes.
///
/// # Errors
/// `Refused` if the topic is compacted, which cuts records out of the middle of a log.
pub(super) async fn log_record_max(cluster: &Cluster, topic: &Arc<str>) -> Result<usize, Error> {
    let (policy, record_max) = settings(cluster, topic).await?;
    if policy == DELETE { Ok(record_max) } else { Err(wrong_policy(topic, &policy, DELETE)) }
}

/// Largest batch that the state topic takes, in bytes.
///
/// # Errors
/// `Refused` if the topic is not compacted alone, so that what it keeps is deleted after a while.
pub(super) async fn state_record_max(cluster: &Cluster, topic: &Arc<str>) -> Result<usize, Error> {
    let (policy, record_max) = settings(cluster, topic).await?;
    if policy == COMPACT { Ok(record_max) } else { Err(wrong_policy(topic, &policy, COMPACT)) }
}

fn wrong_policy(topic: &str, is: &str, should: &str) -> Error {
    let message = format!(
        "topic {topic}: {POLICY}={is} loses records that the store needs; set it before the topic has data: \
         kafka-configs.sh --bootstrap-server ... --alter --entity-type topics --entity-name {topic} \
         --add-config {POLICY}={should}"
    );
    Error::refused("wrong-cleanup-policy", message)
}

async fn settings(cluster: &Cluster, topic: &Arc<str>) -> Result<(String, usize), Error> {
    let resource = ConfigResource::Topic(Arc::clone(topic));
    let described = cluster.within(cluster.client.describe_configs(std::slice::from_ref(&resource))).await?;
    let value = |name| described.get(&resource).and_then(|configs| configs.get(name)).and_then(|it| it.value.clone());
    let record_max = value(RECORD_MAX).and_then(|value| value.parse().ok());
    value(POLICY).zip(record_max).ok_or_else(|| {
        Error::retry("no-setting", format!("topic {topic}: the cluster did not answer its {RECORD_MAX} and {POLICY}"))
    })
}

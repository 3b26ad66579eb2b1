//! Names and descriptions of what a cluster holds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// One partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// Name of the topic.
    pub topic: Arc<str>,
    /// From 0.
    pub partition: i32,
}

impl TopicPartition {
    /// A partition, counted from 0, of a topic.
    #[must_use]
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// What tells a topic from a later one of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId([u8; 16]);

impl TopicId {
    /// Takes the identity as brokers give it.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The identity as brokers give it.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A cluster as one of its brokers sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterDescription {
    /// What tells the cluster from every other one.
    pub id: String,
    /// Brokers that are alive, by number.
    pub brokers: BTreeMap<i32, BrokerAddress>,
    /// A broker that takes orders for the controller; none while there is no controller.
    pub controller: Option<i32>,
}

/// Where clients of the listener that was asked reach a broker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct BrokerAddress {
    /// Name or address.
    pub host: Arc<str>,
    /// Port.
    pub port: u16,
}

impl BrokerAddress {
    /// A host by name or address, and its port.
    #[must_use]
    pub fn new(host: impl Into<Arc<str>>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (&self.host, self.port);
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicDescription {
    /// Its name.
    pub name: Arc<str>,
    /// What tells it from a later topic of the same name.
    pub id: TopicId,
    /// Its partitions, in order.
    pub partitions: Vec<PartitionDescription>,
    /// Whether brokers keep their own records in it.
    pub internal: bool,
}

impl TopicDescription {
    /// One of its partitions.
    #[must_use]
    pub fn partition(&self, partition: i32) -> Option<&PartitionDescription> {
        self.partitions.iter().find(|known| known.partition == partition)
    }
}

/// A partition's replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionDescription {
    /// From 0.
    pub partition: i32,
    /// The broker that takes its records; none while there is none.
    pub leader: Option<i32>,
    /// Counts the leaders; -1 if it is not known.
    pub leader_epoch: i32,
    /// Brokers that keep it.
    pub replicas: Vec<i32>,
    /// Of those, the ones that have all of it.
    pub in_sync: Vec<i32>,
}

/// A topic to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewTopic {
    /// Its name.
    pub name: Arc<str>,
    /// How many partitions, from 1; -1 is the broker's default.
    pub partitions: i32,
    /// How many brokers keep each, from 1; -1 is the broker's default.
    pub replication_factor: i16,
    /// Settings that differ from the broker's defaults.
    pub configs: BTreeMap<String, String>,
}

impl NewTopic {
    /// A topic with the broker's default settings.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, partitions: i32, replication_factor: i16) -> Self {
        Self { name: name.into(), partitions, replication_factor, configs: BTreeMap::new() }
    }

    /// With one setting, such as `retention.ms`.
    #[must_use]
    pub fn with_config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.insert(name.into(), value.into());
        self
    }
}

//! A client for Kafka brokers, from version 4.0 on, and the format of the batches that they store.

mod acls;
pub mod batch;
mod client;
mod cluster;
mod configs;
mod fetch;
mod groups;
mod offsets;
mod partitions;
mod pause;
mod produce;
mod raw_batch;
mod refusal;
mod scram;
mod security;
mod settings;
mod topic;
mod topics;
mod transactions;
mod wire;

pub use acls::{Acl, AclFilter, AclOperation, AclPattern, AclPermission, AclResource};
pub use client::KafkaClient;
pub use configs::{ConfigChange, ConfigResource, ConfigValue, Configs};
pub use fetch::{AbortedTransaction, FetchFrom, FetchRequest, FetchSession, Fetched, FetchedPartition, Isolation};
pub use groups::{GroupListing, GroupOffset};
pub use offsets::{EpochEnd, OffsetAt, OffsetFound};
pub use partitions::{ActiveProducer, LogIdentity};
pub use produce::{Produce, ProduceOutcomes, Produced};
pub use raw_batch::RawBatch;
pub use security::{Mechanism, Sasl, Security};
pub use settings::KafkaSettings;
pub use topic::{
    BrokerAddress, ClusterDescription, NewTopic, PartitionDescription, TopicDescription, TopicId, TopicPartition,
};
pub use topics::TopicOutcomes;
pub use transactions::{Outcome, ProducerSession};

//! A client for Kafka brokers, from version 4.0 on, and the format of the batches that they store.

pub mod batch;
mod client;
mod cluster;
mod fetch;
mod offsets;
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

pub use client::KafkaClient;
pub use fetch::{AbortedTransaction, FetchFrom, FetchRequest, FetchSession, Fetched, FetchedPartition, Isolation};
pub use offsets::{EpochEnd, OffsetAt, OffsetFound};
pub use produce::{Produce, ProduceOutcomes, Produced};
pub use raw_batch::RawBatch;
pub use security::{Mechanism, Sasl, Security};
pub use settings::KafkaSettings;
pub use topic::{
    BrokerAddress, ClusterDescription, NewTopic, PartitionDescription, TopicDescription, TopicId, TopicPartition,
};
pub use topics::TopicOutcomes;
pub use transactions::{Outcome, ProducerSession};

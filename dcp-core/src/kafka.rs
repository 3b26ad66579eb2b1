//! The one Kafka wire client, and the batch format that brokers store.

pub mod batch;

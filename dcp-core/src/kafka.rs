//! A client for Kafka brokers, from version 4.0 on: what links, stores and guards need of the wire, with
//! own types, and nothing of a consumer's group membership; and the format of batches ([`batch`]).
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use dcp_core::clock::{SeededEntropy, TokioClock};
//! use dcp_core::kafka::{FetchFrom, FetchRequest, KafkaClient, KafkaSettings, NewTopic, OffsetAt, TopicPartition};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = KafkaSettings::new(["127.0.0.1:9092"]).with_deadline(Duration::from_secs(10));
//! let entropy = Arc::new(SeededEntropy::new(7, "kafka"));
//! let client = KafkaClient::new(settings, Arc::new(TokioClock::new()), entropy)?;
//!
//! client.create_topics(&[NewTopic::new("orders", 4, 1)]).await?;
//! let first = TopicPartition::new("orders", 0);
//! let ends = client.offsets(&[first.clone()], OffsetAt::LastStable).await?;
//! println!("{first} ends at {}", ends[&first].offset);
//!
//! // Connections of its own, on which a leader may wait for records.
//! let reader = client.fetch_session();
//! let poll = FetchRequest::new(vec![FetchFrom::new(first, 0)]).with_max_wait(Duration::from_secs(1));
//! for fetched in reader.fetch(poll).await? {
//!     println!("{}: {} bytes of batches", fetched.partition, fetched.result?.records.len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is spoken
//!
//! One version of each request, which brokers from 4.0 on know; a broker that does not is refused with its
//! range (`api-version`).
//!
//! | Key | Request | Version | For |
//! |---|---|---|---|
//! | 0 | Produce | 12 | [`produce`](KafkaClient::produce) |
//! | 1 | Fetch | 12, without fetch sessions | [`fetch`](KafkaClient::fetch), [`FetchSession`] |
//! | 2 | `ListOffsets` | 7 | [`offsets`](KafkaClient::offsets) |
//! | 3 | Metadata | 12 | [`cluster`](KafkaClient::cluster), [`topics`](KafkaClient::topics), leaders |
//! | 8 | `OffsetCommit` | 8, without a member | [`commit_group_offsets`](KafkaClient::commit_group_offsets) |
//! | 9 | `OffsetFetch` | 8 | [`group_offsets`](KafkaClient::group_offsets) |
//! | 10 | `FindCoordinator` | 4 | groups and transactions |
//! | 16 | `ListGroups` | 4 | [`list_groups`](KafkaClient::list_groups) |
//! | 17, 36 | `SaslHandshake`, `SaslAuthenticate` | 1, 2 | [`Sasl`] |
//! | 18 | `ApiVersions` | 3 | each new connection |
//! | 19, 20 | `CreateTopics`, `DeleteTopics` | 7, 6 | [`create_topics`](KafkaClient::create_topics), [`delete_topics`](KafkaClient::delete_topics) |
//! | 21 | `DeleteRecords` | 2 | [`delete_records`](KafkaClient::delete_records) |
//! | 22, 26 | `InitProducerId`, `EndTxn` | 5, 5 | [`init_producer`](KafkaClient::init_producer), [`end_transaction`](KafkaClient::end_transaction) |
//! | 23 | `OffsetForLeaderEpoch` | 4 | [`epoch_ends`](KafkaClient::epoch_ends) |
//! | 29, 30, 31 | `DescribeAcls`, `CreateAcls`, `DeleteAcls` | 3, 3, 3 | [`describe_acls`](KafkaClient::describe_acls), ... |
//! | 32, 44 | `DescribeConfigs`, `IncrementalAlterConfigs` | 4, 1 | [`describe_configs`](KafkaClient::describe_configs), [`alter_configs`](KafkaClient::alter_configs) |
//! | 37 | `CreatePartitions` | 3 | [`create_partitions`](KafkaClient::create_partitions) |
//! | 61 | `DescribeProducers` | 0 | [`describe_producers`](KafkaClient::describe_producers) |
//!
//! Transactions are those of transaction protocol version 2 (the cluster's feature `transaction.version` is
//! 2): there is no `AddPartitionsToTxn`, and each end of a transaction raises the producer's epoch.
//!
//! # What is kept
//!
//! - **Records are bytes.** What is read is a slice of the answer, and so keeps the whole answer in memory;
//!   what is written goes out in the pieces it came in. Nothing is decompressed or copied.
//! - **An effect whose answer is missing is in doubt**, unless the same request can be sent again without
//!   doing anything twice: batches of a producer, ends of transactions, settings, access rules, offsets.
//!   What was never sent is certain, also when a caller went away.
//! - **A call ends at its deadline.** Until then it is tried again, with fresh metadata where a leader or a
//!   coordinator moved, after a pause that doubles and is drawn at random; a pause that the broker asks for
//!   (throttling) is kept.
//! - **Memory is bounded**: the size of an answer before it is read, the counts in it before they are
//!   believed, requests under way, topics and coordinators remembered.
//! - **Order**: one connection's answers come in order. Requests, batches of one producer and each
//!   [`FetchSession`] have connections of their own, so that none waits behind another one's long poll.
//!
//! # What is not
//!
//! - An end of a transaction is answered before its markers are in the logs: the last stable offset follows
//!   a moment later. A fetch reads one segment at most: less than was asked for is not the end of the log.
//! - Topics are asked for by name. That one was made anew under its name is seen by
//!   [`log_identities`](KafkaClient::log_identities), and by a fetch with leader epochs.
//! - A batch that lost its connection and was written, and after which the producer has written five more to
//!   the partition, is no longer recognised: it is in doubt at the deadline (`sequence-out-of-order`).
//! - A listener that wants a password, asked without one, hangs up: the answer is `connection-lost` after
//!   the deadline. Names are sent as they are written, without `SASLprep`, as Kafka's own clients do.
//! - What a batch holds is read and written in [`batch`]; the client looks at its header only.

mod acls;
pub mod batch;
mod client;
mod cluster;
mod configs;
pub mod exchange;
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

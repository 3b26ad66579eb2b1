//! An event store in the topics of a Kafka cluster (4.1 or newer).
//!
//! # Where things lie
//!
//! | What | Where |
//! |---|---|
//! | own log `(scope, partition)` | topic `SCOPE`, that partition |
//! | mirror of a peer's log | topic `ORIGIN.SCOPE`, that partition |
//! | heartbeats | topics of their own, by the same rule |
//! | fences, holders, cursors, the store's identity | one compacted topic, `dcp.store.internal` |
//!
//! Topics hold users' records and nothing else; on records that are appended through the store there are
//! [headers](#headers) of it. Users' topics are made by users, with as many partitions in each region;
//! the store makes its own.
//!
//! # How it writes
//!
//! - **One writer.** Each log has a transactional id. Whoever opens it fences the one before and aborts
//!   what that one left open, then raises the fence under the id, then reads the log to its end.
//! - **A group of batches is one transaction**, with its cursors. It was decided on a log that ended at
//!   one offset; if it landed elsewhere, it is aborted.
//! - **An unanswered commit is in doubt.** Before its next group the writer finds out, by renewing its own
//!   session and by reading.
//! - **A right is what the state topic says.** Each opener leaves a number of its own beside the fence. The
//!   cluster says `fenced` also for a transaction that took too long, and to the rightful writer when a
//!   late opener or a stale writer has touched the id: that writer reads that the number is still its own,
//!   takes the id again, and its callers are told `Retry`. One whose number was replaced, or whose grant is
//!   below the fence, renews nothing and is closed.
//!
//! A broker that is given the next transaction of a writer before the markers of the last one are written tries it again
//! after `add.partitions.to.txn.retry.backoff.ms`, 20 ms by default (KAFKA-18654). A log with one append at a time
//! therefore takes some 50 a second, however fast the disk is; with 1 ms it is bound by the markers alone. Many
//! appends at once share a transaction and hardly notice it.
//!
//! # How it reads
//!
//! Up to the last stable offset, without aborted transactions. Each record of the store carries its rank
//! and the digest of the log up to it, so that a topic which was truncated, made anew or written by
//! somebody else is found out at the first record that does not continue the one before. A position is
//! `(topic id, rank)`.
//!
//! # What a dead writer leaves
//!
//! A writer that dies before its commit leaves its transaction open, until its
//! [time-out](KafkaEventSettings::transaction_timeout) or until a successor takes its id. Meanwhile:
//!
//! - Its log is read up to where that transaction begins, and so are its ends.
//! - A cursor that it has written, or a fence, is answered with `Retry` (`undecided-transaction`), and so is
//!   the question where ids are, which must know every record.
//! - Every other key of the state topic is answered, though it lies in the same partition. Behind the last
//!   stable offset the store reads what is not decided as well, and tells transactions apart by their producers; only
//!   those that wrote the key matter.
//! - Every log can be opened, its own too. Before an opener has taken the id it waits for nothing that another
//!   writer in its role has left; once it has, everything that was written about its fence and its
//!   holder is decided, since that is only written under the log's own ids. So it does not matter who is
//!   opened first after the death of all. Only an owner whose mirror is not decided waits for the link
//!   to open that mirror, which waits for nobody.
//!
//! # Headers
//!
//! `dcp-id`, `dcp-type`, `dcp-stream` (where the key is not the stream), `dcp-version`, `dcp-epoch`,
//! `dcp-rank`, `dcp-prefix`. Events with headers that begin with `dcp-` are refused.
//!
//! # Topics that others wrote
//!
//! A record without these headers is read, and mirrored, as an event of type `kafka.record` (or
//! `kafka.tombstone`): its id is a digest of topic id, partition and offset; its stream is the key; its
//! version is counted from the first record of the topic; its epoch is 0. What then holds: order,
//! positions, digests, and that nothing is missed or read twice. What does not: a producer that sends
//! twice has two events; ids are other ones after the topic was made anew; a topic whose first records
//! are gone cannot be adopted, since nobody can count versions. A foreign producer beside the store's
//! writer is noticed at each append, which is then refused with `Retry` and decided again.
//!
//! # Limits
//!
//! - An id is appended once within [`KafkaEventSettings::id_horizon`] records of each log.
//! - Ids in mirrors that another process writes are known after at most
//!   [`KafkaEventSettings::mirror_lag`]; an append that cannot confirm it is refused with `Retry`.
//! - Opening a writer reads its log and the mirrors of its partition once, from the first record on, however
//!   long that takes while it comes further; the id is taken after that. In a log with records of others,
//!   `prefix` and readers that begin behind them read it from its first record each time.
//! - In memory are: the latest ids, as many as the horizon; a mark per 256 records, of about 50 bytes; the
//!   version of **every stream** of each log and mirror that was opened or asked for, about 100 bytes and
//!   the stream's name. Nothing bounds how many streams there are.
//! - A log whose first records were deleted is read from the first that is left, and no writer opens on it
//!   (`head-gone`): versions of streams that were not written since are gone. Make users' topics with
//!   `cleanup.policy=delete`, `retention.ms=-1` and `retention.bytes=-1`; the store's own are made so, and
//!   a compacted topic is refused. A topic that lost its head is cured by a move of the slice to another
//!   region, or by a topic made anew, which is another incarnation.
//! - Records of others must have no header that begins with `dcp-`. A program that copies records with
//!   their headers from a topic of the store to an adopted one ends that log with `broken-chain` or
//!   `bad-headers`: let it drop these headers. Records of others above
//!   [`EVENT_MAX_BYTES`](crate::ports::event_store::EVENT_MAX_BYTES) are read and cannot be mirrored.
//! - Writers have connections of their own, up to 32 clients; beyond, they share them.
//! - What was answered survives the death of brokers' processes. Whether it survives a loss of power is a
//!   matter of replicas and of brokers' flushing.
//! - `commit_sequence` is the sum of the ends of all the store's topics: each commit adds records and
//!   markers, and neither compaction nor retention takes from an end. It falls if a topic is deleted,
//!   truncated or made anew, or if a peer or scope is taken out of the settings: the witness then sees a
//!   store that went back. While a topic that this process has seen is not shown, nothing is answered.

mod adopted;
mod broker_admin;
mod chain;
mod cluster;
mod core;
mod headers;
mod holder;
mod identity;
mod index;
mod laying;
mod log;
mod log_writer;
mod logs;
mod names;
mod opening;
mod page;
mod patience;
mod producer;
mod producer_clients;
mod reader;
mod rounds;
mod settings;
mod source;
mod state;
mod state_topic;
#[cfg(test)]
mod stored;
mod tail;
mod topics;
mod writer;

pub use broker_admin::KafkaBrokerAdmin;
pub use settings::KafkaEventSettings;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use self::core::Core;
use crate::clock::{Clock, Entropy};
use crate::error::{Error, Failure};
use crate::kafka::KafkaClient;
use crate::log::LogId;
use crate::ownership::WriteGrant;
use crate::ports::event_store::{EventStore, EventWriter, WriterRole};
use crate::position::Cut;
use crate::store::lanes::{Lane, LaneTasks};
use crate::store::writer::Writer;
use cluster::Cluster;
use logs::Logs;
use names::Names;
use producer_clients::ProducerClients;
use writer::KafkaSession;

/// An [`EventStore`] in the topics of a cluster.
pub struct KafkaEventStore {
    core: Arc<Core>,
    tasks: Arc<LaneTasks>,
}

impl fmt::Debug for KafkaEventStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaEventStore").field("settings", &self.core.cluster.settings).finish_non_exhaustive()
    }
}

impl KafkaEventStore {
    /// Opens the store, or makes it: its own topic and identity, no users' topics. `entropy` names the
    /// incarnation of a new store and each writer: use the operating system's.
    ///
    /// # Errors
    /// `Invalid` for bad settings, another region's store or another count of state partitions;
    /// `Refused` for a newer format, a cluster without transactions of version 2, or what the client may
    /// not do; `Retry` while the cluster does not answer.
    pub async fn open(
        client: KafkaClient,
        settings: KafkaEventSettings,
        entropy: Arc<dyn Entropy>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        settings.check()?;
        let names = Names::new(&settings)?;
        // Half of a read's deadline: what one broker does not answer, another one is asked in time.
        let reads = client.apart_within(settings.deadline / 2)?;
        let cluster =
            Cluster { client: reads, writes: client, settings, names, clock, producers: ProducerClients::default() };
        let (state, incarnation) = identity::establish(&cluster, &*entropy).await?;
        let core = Arc::new(Core { cluster, state, logs: Logs::default(), incarnation, entropy });
        Ok(Self { core, tasks: Arc::default() })
    }
}

#[async_trait]
impl EventStore for KafkaEventStore {
    async fn open_writer(&self, logs: &[LogId], role: WriterRole) -> Result<Box<dyn EventWriter>, Failure> {
        let writers = opening::open(&self.core, logs, &role).await?;
        let lanes = writers.into_iter().map(|writer| (writer.log.id.clone(), Lane::new(writer))).collect();
        Ok(Box::new(Writer::new(&role, KafkaSession { tasks: Arc::clone(&self.tasks), lanes })))
    }

    async fn seal(&self, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure> {
        opening::seal(&self.core, logs, grant).await
    }
}

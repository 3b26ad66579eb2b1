//! The event store of one region.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::{Error, Failure};
use crate::event::{EventId, NewEvent, Placed, Record, Version};
use crate::fence::Fence;
use crate::ids::{CursorName, LinkId, ScopeId};
use crate::log::LogId;
use crate::ownership::{Epoch, WriteGrant};
use crate::position::{Cut, LogEnd, LogIncarnation, Position, PrefixDigest};

/// Most events in one batch.
pub const BATCH_MAX_EVENTS: usize = 10_000;
/// Most bytes of payload, key and headers of one event.
pub const EVENT_MAX_BYTES: usize = 1 << 20;
/// Most bytes of payload, key and headers of all events of one batch.
pub const BATCH_MAX_BYTES: usize = 64 << 20;
/// Longest stream name and longest event type, in bytes.
pub const STREAM_MAX_BYTES: usize = 1_024;
/// Largest cursor value, in bytes.
pub const CURSOR_MAX_BYTES: usize = 4_096;

/// As what a writer is opened.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_enums)]
pub enum WriterRole {
    /// The owner of the logs' slice: appends new events.
    Owner(WriteGrant),
    /// A link: copies records as the source holds them.
    Mirror(LinkId),
    /// This region's own writer of companion logs (heartbeats): appends under epoch 0, without an
    /// ownership fence.
    Companion,
}

/// Where a reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum ReadFrom {
    /// At the first record.
    Start,
    /// After this place; refused if it is of another incarnation or past the end.
    After(Position),
}

/// A position of the caller's own, kept under a name and committed with a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Cursor {
    /// The name.
    pub name: CursorName,
    /// Opaque here; at most [`CURSOR_MAX_BYTES`].
    pub value: Bytes,
}

/// New events of one log, appended together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OwnerBatch {
    /// The log; its origin is the owner.
    pub log: LogId,
    /// The events, in order.
    pub events: Vec<NewEvent>,
    /// Committed with them.
    pub cursor: Option<Cursor>,
}

impl OwnerBatch {
    /// A batch without a cursor.
    #[must_use]
    pub fn new(log: LogId, events: Vec<NewEvent>) -> Self {
        Self { log, events, cursor: None }
    }

    /// With a cursor.
    #[must_use]
    pub fn with_cursor(mut self, cursor: Cursor) -> Self {
        self.cursor = Some(cursor);
        self
    }
}

/// Records of one log as its source holds them, appended together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CopyBatch {
    /// The log; its origin is another region.
    pub log: LogId,
    /// The mirror's prefix that the records follow: the batch is refused if the log has moved.
    pub after: PrefixDigest,
    /// The records, in the source's order.
    pub records: Vec<Record>,
    /// The link's cursor, committed with them.
    pub cursor: Option<Cursor>,
}

impl CopyBatch {
    /// A batch without a cursor.
    #[must_use]
    pub fn new(log: LogId, after: PrefixDigest, records: Vec<Record>) -> Self {
        Self { log, after, records, cursor: None }
    }

    /// With a cursor.
    #[must_use]
    pub fn with_cursor(mut self, cursor: Cursor) -> Self {
        self.cursor = Some(cursor);
        self
    }
}

/// Where one event of a batch is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct AppendAck {
    /// The event.
    pub id: EventId,
    /// The log that holds it: the batch's, or another of the scope that held it already.
    pub log: LogId,
    /// Its place there.
    pub position: Position,
    /// The epoch it was appended under.
    pub epoch: Epoch,
    /// Its version there.
    pub version: Version,
    /// Whether it was held before this batch, which then appended nothing for it.
    pub existing: bool,
}

/// What a durable append answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Appended {
    /// One per event, in the batch's order.
    pub acks: Vec<AppendAck>,
    /// The log's prefix after the batch.
    pub prefix: PrefixDigest,
}

/// One place where an event id is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Sighting {
    /// The event.
    pub id: EventId,
    /// The log.
    pub log: LogId,
    /// Its place there.
    pub position: Position,
    /// The epoch it was appended under.
    pub epoch: Epoch,
    /// Its stream's version.
    pub version: Version,
    /// Digest of its content.
    pub content: Digest,
}

/// Which store this is and how far it has got, so that a restored backup is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct StoreIdentity {
    /// Drawn when the store was created.
    pub incarnation: LogIncarnation,
    /// Rises with every durable commit.
    pub commit_sequence: u64,
}

/// Event store of one region: its own logs and mirrors of its peers'.
///
/// # Contract
/// - **E1** What `append` answered is read back: every record once, in batch order, with the
///   position, epoch and version that were answered.
/// - **E2** Versions count from 1 without gaps per `(log, stream)`.
/// - **E3** An event whose expected version is not the stream's is refused with `Conflict`, and
///   nothing of its batch is written.
/// - **E4** An event id that some log of the same scope and partition holds with equal content is
///   answered with that log and place and appended nowhere; with other content it is refused
///   with `Invalid`, and nothing of its batch is written.
/// - **E5** A batch is written as a whole, with its cursor, or not at all, also across a crash.
/// - **E6** What was answered survives a crash of the store.
/// - **E7** Opening an owner's writer raises the logs' fence to its epoch, durably; a writer below
///   the fence, or of another issuer in the same epoch, is refused with `Fenced`, at opening and at
///   every append, the fence being compared in the write's own transaction.
/// - **E8** A second writer opened on a log in the same role fences the first: its later appends
///   are refused with `Fenced`.
/// - **E9** `seal` raises the fence without opening a writer, lets no append below it land
///   afterwards, and answers the logs' ends after the last append that did.
/// - **E10** An owner's writer opens only on logs whose origin is this region and the grant's owner
///   and whose scope is the grant's; a mirror's only on logs of another origin than this region; a
///   companion's only on companion logs of this region. Anything else is `Refused`.
/// - **E11** A mirror's batch is written as it is (ids, epochs, versions, content), without id
///   look-up and without ownership fence, and only if the log is at the prefix it names; else
///   `Conflict`.
/// - **E12** `next` returns records in order without gap or repetition, first what there is, then
///   what arrives, and is cancel safe.
/// - **E13** A position of another incarnation, or past the end, is refused with `Corrupt`, never
///   read from the start.
/// - **E14** `prefix` answers the count and ordered digest that a reader computes over the first
///   `count` records.
/// - **E15** `commit_sequence` rises with every durable commit and never goes down, also after a
///   crash; the incarnation never changes in a store's life.
/// - **E16** Batches, events and cursors above the bounds are refused with `Invalid` and write
///   nothing.
#[async_trait]
pub trait EventStore: EventSource {
    /// Opens a writer on these logs, which fences its predecessor.
    ///
    /// # Errors
    /// `NotApplied(Fenced)` below the fence; `NotApplied(Refused)` for logs that the role may not
    /// write; `InDoubt` if it is not known whether the fence was raised: open again.
    async fn open_writer(&self, logs: &[LogId], role: WriterRole) -> Result<Box<dyn EventWriter>, Failure>;

    /// Raises the fence of these logs to the grant's epoch and answers their ends.
    ///
    /// # Errors
    /// `NotApplied(Fenced)` if the grant is below the fence; `InDoubt` if it is not known: seal again.
    async fn seal(&self, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure>;
}

/// The reading half of an [`EventStore`]: all that a peer region is given. Its clauses are those of
/// [`EventStore`] that speak of reading (E1, E12, E13, E14, E15).
#[async_trait]
pub trait EventSource: fmt::Debug + Send + Sync + 'static {
    /// Which store this is and how far it has got.
    ///
    /// # Errors
    /// `Retry`, `Corrupt` or `Stopped`, as their kinds say.
    async fn identity(&self) -> Result<StoreIdentity, Error>;

    /// Where these logs end, as of one moment. A log that nobody has written yet is empty, not
    /// missing.
    ///
    /// # Errors
    /// As [`EventSource::identity`].
    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error>;

    /// Logs of which something is held, in order; the companions among them.
    ///
    /// # Errors
    /// As [`EventSource::identity`].
    async fn logs(&self) -> Result<Vec<LogId>, Error>;

    /// The fence of a log.
    ///
    /// # Errors
    /// As [`EventSource::identity`].
    async fn fence(&self, log: &LogId) -> Result<Fence, Error>;

    /// Count and ordered digest of the first `count` records; none if the log is shorter.
    ///
    /// # Errors
    /// As [`EventSource::identity`].
    async fn prefix(&self, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error>;

    /// Every log of a scope's partition that holds one of these ids.
    ///
    /// # Errors
    /// As [`EventSource::identity`].
    async fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Result<Vec<Sighting>, Error>;

    /// The value of a cursor; none if it was never written.
    ///
    /// # Errors
    /// As [`EventSource::identity`].
    async fn cursor(&self, name: &CursorName) -> Result<Option<Bytes>, Error>;

    /// Opens a reader on one log.
    ///
    /// # Errors
    /// `Corrupt` if the position is of another incarnation or past the end (E13).
    async fn open_reader(&self, log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error>;
}

/// Convenience over any [`EventSource`].
#[async_trait]
pub trait EventSourceExt: EventSource {
    /// Where one log ends.
    ///
    /// # Errors
    /// As [`EventSource::identity`].
    async fn end(&self, log: &LogId) -> Result<LogEnd, Error> {
        let ends = self.ends(std::slice::from_ref(log)).await?;
        ends.get(log)
            .copied()
            .ok_or_else(|| Error::corrupt("missing-end", format!("{log}: the store did not answer its end")))
    }
}

impl<T: EventSource + ?Sized> EventSourceExt for T {}

/// A reading session on one log.
#[async_trait]
pub trait EventReader: fmt::Debug + Send + 'static {
    /// The next records, at most `limit`; waits up to `wait` for the first one. An empty answer
    /// means that nothing arrived in that time.
    ///
    /// # Errors
    /// `Corrupt` if the log's incarnation changed under the reader; `Retry`, `Stopped`.
    ///
    /// # Cancel safety
    /// Cancel safe: a dropped call loses no record.
    async fn next(&mut self, limit: usize, wait: Duration) -> Result<Vec<Placed>, Error>;
}

/// A writing session on some logs. Calls on different logs may run at the same time.
#[async_trait]
pub trait EventWriter: fmt::Debug + Send + Sync + 'static {
    /// Appends new events durably (role owner).
    ///
    /// # Errors
    /// `NotApplied`: `Conflict` (expected version), `Invalid` (id with other content, bounds),
    /// `Fenced`, `Refused` (wrong role or log). `InDoubt`: send the same batch again, which is idempotent
    /// by id. Looking the ids up shows that it landed, and never that it did not: a commit may still be under way at
    /// the server. An absent id settles it only if a writer of the log was opened, or the log sealed, before the look.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call is in doubt.
    async fn append(&self, batch: OwnerBatch) -> Result<Appended, Failure>;

    /// Copies records durably (role mirror).
    ///
    /// # Errors
    /// `NotApplied(Conflict)` if the log is not at the named prefix; else as
    /// [`EventWriter::append`].
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call is in doubt; read the cursor.
    async fn copy(&self, batch: CopyBatch) -> Result<PrefixDigest, Failure>;
}

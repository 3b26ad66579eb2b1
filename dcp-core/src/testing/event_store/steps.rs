//! Steps that the clauses share.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{ErrorKind, Failure};
use crate::event::{NewEvent, Placed};
use crate::ids::LinkId;
use crate::log::LogId;
use crate::ownership::WriteGrant;
use crate::ports::event_store::{
    Appended, CopyBatch, EventReader, EventSourceExt as _, EventStore, EventWriter, OwnerBatch, ReadFrom, WriterRole,
};
use crate::position::LogEnd;
use crate::testing::Violation;
use crate::testing::fixtures::{TwoRegions, east, orders, partition_log, slice_b, west};

/// The store under test.
pub(super) type Store = Arc<dyn EventStore>;
/// A writing session on it.
pub(super) type Writer = Box<dyn EventWriter>;

/// The region's own log of a partition.
pub(super) fn own(partition: u32) -> LogId {
    partition_log(&west(), partition)
}

/// The mirror of the peer's log of a partition.
pub(super) fn peers(partition: u32) -> LogId {
    partition_log(&east(), partition)
}

/// The region's own grant in an epoch.
pub(super) fn grant(epoch: u64) -> WriteGrant {
    TwoRegions::new().grant(&slice_b(&orders()), &west(), epoch)
}

/// The peer's grant in an epoch.
pub(super) fn peers_grant(epoch: u64) -> WriteGrant {
    TwoRegions::new().grant(&slice_b(&orders()), &east(), epoch)
}

/// Opens an owner's writer on own logs.
pub(super) async fn owner(store: &Store, epoch: u64, logs: &[LogId]) -> Result<Writer, Violation> {
    Ok(store.open_writer(logs, WriterRole::Owner(grant(epoch))).await?)
}

/// Opens a mirror's writer.
pub(super) async fn mirror(store: &Store, logs: &[LogId]) -> Result<Writer, Violation> {
    Ok(store.open_writer(logs, WriterRole::Mirror(LinkId::new("east-to-west")?)).await?)
}

/// Appends events to a log.
pub(super) async fn append(writer: &Writer, log: &LogId, events: Vec<NewEvent>) -> Result<Appended, Failure> {
    writer.append(OwnerBatch::new(log.clone(), events)).await
}

/// Copies records behind what the log holds now.
pub(super) async fn copy(
    store: &Store,
    writer: &Writer,
    log: &LogId,
    records: Vec<crate::event::Record>,
) -> Result<(), Violation> {
    let after = end(store, log).await?.prefix;
    writer.copy(CopyBatch::new(log.clone(), after, records)).await?;
    Ok(())
}

/// Where a log ends.
pub(super) async fn end(store: &Store, log: &LogId) -> Result<LogEnd, Violation> {
    Ok(store.end(log).await?)
}

/// All that a log holds.
pub(super) async fn read_all(store: &Store, log: &LogId) -> Result<Vec<Placed>, Violation> {
    let mut reader = store.open_reader(log, ReadFrom::Start).await?;
    drain(&mut reader, 100).await
}

/// What is left for a reader.
pub(super) async fn drain(reader: &mut Box<dyn EventReader>, limit: usize) -> Result<Vec<Placed>, Violation> {
    let mut all = Vec::new();
    loop {
        let records = reader.next(limit, Duration::ZERO).await?;
        if records.is_empty() {
            return Ok(all);
        }
        if records.len() > limit {
            return Err(Violation(format!("{} records at once, at most {limit} were asked for", records.len())));
        }
        all.extend(records);
    }
}

/// Demands that an effect certainly did not happen, for this reason.
pub(super) fn demand_refusal<T: std::fmt::Debug>(
    result: Result<T, Failure>,
    kind: ErrorKind,
    what: &str,
) -> Result<(), Violation> {
    match &result {
        Err(Failure::NotApplied(error)) if error.kind() == kind => Ok(()),
        other => Err(Violation(format!("{what}: expected a refusal of kind {kind}, got {other:?}"))),
    }
}

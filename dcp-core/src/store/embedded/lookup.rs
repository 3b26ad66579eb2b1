//! Reading, the same inside a write transaction and outside of one.

use std::collections::BTreeSet;

use redb::ReadableTable;

use super::chunk::Unpacked;
use super::ids;
use super::tables::{ChunkKey, LogKey, LogRow, RunKey, key};
use crate::embedded::Fault;
use crate::event::{EventId, Record};
use crate::ids::{RegionId, ScopeId};
use crate::log::LogId;
use crate::ports::event_store::Sighting;
use crate::position::{LogIncarnation, Position, PrefixDigest};

/// The row of a log; none if nobody has written or fenced it yet.
pub(crate) fn row(logs: &impl ReadableTable<LogKey, &'static [u8]>, log: &LogId) -> Result<Option<LogRow>, Fault> {
    logs.get(key(log))?.map(|bytes| LogRow::decode(log, bytes.value())).transpose()
}

/// Every log with its row, in order of the logs.
pub(crate) fn all_logs(logs: &impl ReadableTable<LogKey, &'static [u8]>) -> Result<Vec<(LogId, LogRow)>, Fault> {
    let mut all = logs.iter()?.map(|entry| read_row(entry?)).collect::<Result<Vec<_>, Fault>>()?;
    all.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(all)
}

/// The logs of one partition of a scope: one per origin.
pub(crate) fn partition_logs(
    logs: &impl ReadableTable<LogKey, &'static [u8]>,
    scope: &ScopeId,
    partition: u32,
) -> Result<Vec<(LogId, LogRow)>, Fault> {
    let mut found = Vec::new();
    for entry in logs.range((scope.as_str(), partition, "")..)? {
        let (log, row) = read_row(entry?)?;
        if log.scope() != scope || log.partition() != partition {
            break;
        }
        found.push((log, row));
    }
    Ok(found)
}

type Stored<'a> = (redb::AccessGuard<'a, LogKey>, redb::AccessGuard<'a, &'static [u8]>);

fn read_row((name, row): Stored<'_>) -> Result<(LogId, LogRow), Fault> {
    let (scope, partition, origin) = name.value();
    let damaged = |_| Fault::damaged(format!("the name of log {scope}@{origin}/{partition}"));
    let log = LogId::new(ScopeId::new(scope).map_err(damaged)?, RegionId::new(origin).map_err(damaged)?, partition);
    let row = LogRow::decode(&log, row.value())?;
    Ok((log, row))
}

/// Reads records from the one with this ordinal on, until `take` says that it is enough.
///
/// `take` is also told how many bytes of chunks were read so far.
pub(crate) fn records_from(
    chunks: &impl ReadableTable<ChunkKey, &'static [u8]>,
    log: u32,
    ordinal: u64,
    mut take: impl FnMut(u64, Record, usize) -> bool,
) -> Result<(), Fault> {
    let start = match chunks.range((log, 0)..=(log, ordinal))?.next_back() {
        Some(first) => first?.0.value().1,
        None => ordinal,
    };
    let mut bytes = 0;
    for chunk in chunks.range((log, start)..=(log, u64::MAX))? {
        let (chunk_key, chunk) = chunk?;
        bytes += chunk.value().len();
        for record in Unpacked::of(chunk_key.value().1, chunk.value())? {
            let (at, record) = record?;
            if at >= ordinal && !take(at, record, bytes) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Count and digest of the first records: the digest before their last chunk, and that chunk hashed.
pub(crate) fn prefix(
    chunks: &impl ReadableTable<ChunkKey, &'static [u8]>,
    row: &LogRow,
    count: u64,
) -> Result<Option<PrefixDigest>, Fault> {
    if count > row.prefix.count {
        return Ok(None);
    }
    if count == row.prefix.count {
        return Ok(Some(row.prefix));
    }
    if count == 0 {
        return Ok(Some(PrefixDigest::EMPTY));
    }
    let damaged = || Fault::damaged(format!("the chunk of record {count}"));
    let (chunk_key, chunk) = chunks.range((row.number, 0)..=(row.number, count))?.next_back().ok_or_else(damaged)??;
    let records = Unpacked::of(chunk_key.value().1, chunk.value())?;
    let mut prefix = records.before();
    for record in records {
        prefix = prefix.then(&record?.1.digest());
        if prefix.count == count {
            return Ok(Some(prefix));
        }
    }
    Err(damaged())
}

/// Where one log holds some of these ids.
pub(crate) fn sightings(
    runs: &impl ReadableTable<RunKey, &'static [u8]>,
    chunks: &impl ReadableTable<ChunkKey, &'static [u8]>,
    (log, row): (&LogId, &LogRow),
    incarnation: LogIncarnation,
    ids: &BTreeSet<EventId>,
) -> Result<Vec<Sighting>, Fault> {
    let mut fingerprints: Vec<u64> = ids.iter().map(ids::fingerprint).collect();
    fingerprints.sort_unstable();
    fingerprints.dedup();
    let candidates = ids::candidates(runs, row, &fingerprints)?;
    let mut found = Vec::new();
    let mut rest = candidates.as_slice();
    while let Some(&first) = rest.first() {
        // Neighbours share chunks: read on while the next candidate is near, else seek.
        records_from(chunks, row.number, first, |ordinal, record, _| {
            if rest.first() == Some(&ordinal) {
                rest = &rest[1..];
                if ids.contains(&record.id) {
                    found.push(sighting(log, Position::from_store(incarnation, ordinal), &record));
                }
            }
            rest.first().is_some_and(|next| next - ordinal <= NEAR)
        })?;
        if rest.first() == Some(&first) {
            return Err(Fault::damaged(format!("record {first} of {log}, which the index of ids names")));
        }
    }
    Ok(found)
}

/// Records that are rather decoded than sought past.
const NEAR: u64 = 16;

fn sighting(log: &LogId, position: Position, record: &Record) -> Sighting {
    Sighting {
        id: record.id,
        log: log.clone(),
        position,
        epoch: record.epoch,
        version: record.version,
        content: record.content_digest(),
    }
}

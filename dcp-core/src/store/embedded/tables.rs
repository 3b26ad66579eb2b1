//! The file's tables. All of them change in one transaction.

use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use crate::clock::Entropy;
use crate::embedded::Fault;
use crate::fence::Fence;
use crate::log::LogId;
use crate::position::{LogEnd, LogIncarnation, Position, PrefixDigest};

/// `(scope, partition, origin)`, so that the logs of one partition lie side by side.
pub(crate) type LogKey = (&'static str, u32, &'static str);
/// `(log number, ordinal of the first record)`.
pub(crate) type ChunkKey = (u32, u64);
/// `(log number, run number, fingerprint of the first entry)`.
pub(crate) type RunKey = (u32, u32, u64);

/// One [`LogRow`] per log.
pub(crate) const LOGS: TableDefinition<'_, LogKey, &[u8]> = TableDefinition::new("logs");
/// Records, several to a value.
pub(crate) const CHUNKS: TableDefinition<'_, ChunkKey, &[u8]> = TableDefinition::new("chunks");
/// `(log number, stream)` → version.
pub(crate) const VERSIONS: TableDefinition<'_, (u32, &str), u64> = TableDefinition::new("versions");
/// Sorted runs of id fingerprints, cut into blocks.
pub(crate) const RUNS: TableDefinition<'_, RunKey, &[u8]> = TableDefinition::new("id-runs");
/// Callers' cursors.
pub(crate) const CURSORS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("cursors");
/// Numbers of the store as a whole.
pub(crate) const COUNTERS: TableDefinition<'_, &str, u64> = TableDefinition::new("counters");
const IDENTITY: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("identity");

const COMMITS: &str = "commits";
const LOG_NUMBERS: &str = "log-numbers";
const INCARNATION: &str = "incarnation";

/// What the store keeps of one log beside its records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogRow {
    /// Stands for the log in the other tables' keys.
    pub(crate) number: u32,
    /// Count and digest of all records.
    pub(crate) prefix: PrefixDigest,
    /// The highest grant seen.
    pub(crate) fence: Fence,
    /// Number of the next run of ids.
    pub(crate) next_run: u32,
    /// The runs of ids, oldest first.
    pub(crate) runs: Vec<Run>,
}

/// One sorted run of id fingerprints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) number: u32,
    /// How often its entries were merged.
    pub(crate) level: u8,
    pub(crate) entries: u32,
}

impl LogRow {
    fn new(number: u32) -> Self {
        Self { number, prefix: PrefixDigest::EMPTY, fence: Fence::unset(), next_run: 0, runs: Vec::new() }
    }

    pub(crate) fn decode(log: &LogId, bytes: &[u8]) -> Result<Self, Fault> {
        postcard::from_bytes(bytes).map_err(|cause| Fault::damaged(format!("the row of {log}: {cause}")))
    }

    /// The end of a log that may have no row yet.
    pub(crate) fn end_of(row: Option<&Self>, incarnation: LogIncarnation) -> LogEnd {
        let prefix = row.map_or(PrefixDigest::EMPTY, |row| row.prefix);
        let last = (prefix.count > 0).then(|| Position::from_store(incarnation, prefix.count));
        LogEnd { incarnation, last, prefix }
    }
}

pub(crate) fn key(log: &LogId) -> (&str, u32, &str) {
    (log.scope().as_str(), log.partition(), log.origin().as_str())
}

/// Writes what an empty store holds.
pub(crate) fn create(transaction: &WriteTransaction, entropy: &dyn Entropy) -> Result<(), Fault> {
    let drawn = entropy.draw();
    transaction.open_table(IDENTITY)?.insert(INCARNATION, &drawn[..16])?;
    let mut counters = transaction.open_table(COUNTERS)?;
    counters.insert(COMMITS, 1)?;
    counters.insert(LOG_NUMBERS, 0)?;
    transaction.open_table(LOGS)?;
    transaction.open_table(CHUNKS)?;
    transaction.open_table(VERSIONS)?;
    transaction.open_table(RUNS)?;
    transaction.open_table(CURSORS)?;
    Ok(())
}

pub(crate) fn incarnation(transaction: &ReadTransaction) -> Result<LogIncarnation, Fault> {
    let identity = transaction.open_table(IDENTITY)?;
    let stored = identity.get(INCARNATION)?;
    let bytes = stored.as_ref().and_then(|value| <[u8; 16]>::try_from(value.value()).ok());
    Ok(LogIncarnation::from_bytes(bytes.ok_or_else(|| Fault::damaged("the store's incarnation"))?))
}

pub(crate) fn commit_sequence(counters: &impl ReadableTable<&'static str, u64>) -> Result<u64, Fault> {
    Ok(counters.get(COMMITS)?.ok_or_else(|| Fault::damaged("the commit sequence"))?.value())
}

/// All tables, open for one group.
pub(crate) struct EventTables<'txn> {
    pub(crate) logs: Table<'txn, LogKey, &'static [u8]>,
    pub(crate) chunks: Table<'txn, ChunkKey, &'static [u8]>,
    pub(crate) versions: Table<'txn, (u32, &'static str), u64>,
    pub(crate) runs: Table<'txn, RunKey, &'static [u8]>,
    pub(crate) cursors: Table<'txn, &'static str, &'static [u8]>,
    pub(crate) counters: Table<'txn, &'static str, u64>,
}

impl<'txn> EventTables<'txn> {
    pub(crate) fn open(transaction: &'txn WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            logs: transaction.open_table(LOGS)?,
            chunks: transaction.open_table(CHUNKS)?,
            versions: transaction.open_table(VERSIONS)?,
            runs: transaction.open_table(RUNS)?,
            cursors: transaction.open_table(CURSORS)?,
            counters: transaction.open_table(COUNTERS)?,
        })
    }

    /// The log's row; a log without one gets the next number, which [`EventTables::put_row`] keeps.
    pub(crate) fn row_or_new(&self, log: &LogId) -> Result<LogRow, Fault> {
        match super::lookup::row(&self.logs, log)? {
            Some(row) => Ok(row),
            None => Ok(LogRow::new(self.next_number()?)),
        }
    }

    pub(crate) fn put_row(&mut self, log: &LogId, row: &LogRow) -> Result<(), Fault> {
        let bytes = postcard::to_stdvec(row).map_err(|cause| Fault::damaged(format!("the row of {log}: {cause}")))?;
        self.logs.insert(key(log), bytes.as_slice())?;
        if row.number == self.next_number()? {
            self.counters.insert(LOG_NUMBERS, u64::from(row.number) + 1)?;
        }
        Ok(())
    }

    pub(crate) fn raise_commit_sequence(&mut self) -> Result<(), Fault> {
        let last = commit_sequence(&self.counters)?;
        self.counters.insert(COMMITS, last + 1)?;
        Ok(())
    }

    fn next_number(&self) -> Result<u32, Fault> {
        let next = self.counters.get(LOG_NUMBERS)?.map(|row| row.value());
        next.and_then(|next| u32::try_from(next).ok()).ok_or_else(|| Fault::damaged("the counter of log numbers"))
    }
}

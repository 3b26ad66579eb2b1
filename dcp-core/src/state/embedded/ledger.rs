//! The file's tables, and how a transaction changes them.

use std::ops::Bound;

use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

use super::entry;
use crate::embedded::{Applied, Fault, Ledger};
use crate::error::Error;
use crate::ports::state_store::{Condition, Entry, Key, Revision, Transaction, Write};

/// Key → revision of the commit that wrote it last, and value.
pub(crate) const ENTRIES: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("entries");
/// Revision of the store's last commit. Kept apart from the entries, so that it never goes back
/// when the entry with the highest revision is deleted.
const COUNTERS: TableDefinition<'_, &str, u64> = TableDefinition::new("counters");
const REVISION: &str = "revision";

pub(crate) fn create(transaction: &WriteTransaction) -> Result<(), Fault> {
    transaction.open_table(ENTRIES)?;
    transaction.open_table(COUNTERS)?.insert(REVISION, 0)?;
    Ok(())
}

pub(crate) struct StateTables<'txn> {
    entries: Table<'txn, &'static str, (u64, &'static [u8])>,
    counters: Table<'txn, &'static str, u64>,
}

/// Decides each transaction inside the write transaction, one after the other.
#[derive(Debug)]
pub(crate) struct StateLedger;

impl Ledger for StateLedger {
    type Request = Transaction;
    type Answer = Revision;
    type Tables<'txn> = StateTables<'txn>;

    fn open<'txn>(&self, transaction: &'txn WriteTransaction) -> Result<StateTables<'txn>, Fault> {
        Ok(StateTables { entries: transaction.open_table(ENTRIES)?, counters: transaction.open_table(COUNTERS)? })
    }

    fn apply(&mut self, tables: &mut StateTables<'_>, request: Transaction) -> Result<Applied<Revision>, Fault> {
        for condition in &request.conditions {
            if let Err(conflict) = holds(&tables.entries, condition)? {
                return Ok(Applied::unwritten(Err(conflict)));
            }
        }
        let last = counter(&tables.counters)?;
        if request.writes.is_empty() {
            return Ok(Applied::unwritten(Ok(Revision::from_store(last))));
        }
        let revision = last + 1;
        tables.counters.insert(REVISION, revision)?;
        for write in &request.writes {
            match write {
                Write::Put(key, value) => drop(tables.entries.insert(key.as_str(), (revision, value.as_ref()))?),
                Write::Delete(key) => drop(tables.entries.remove(key.as_str())?),
            }
        }
        Ok(Applied::written(Revision::from_store(revision)))
    }
}

fn counter(counters: &impl ReadableTable<&'static str, u64>) -> Result<u64, Fault> {
    Ok(counters.get(REVISION)?.ok_or_else(|| Fault::damaged("the store's revision"))?.value())
}

fn holds(
    entries: &impl ReadableTable<&'static str, (u64, &'static [u8])>,
    condition: &Condition,
) -> Result<Result<(), Error>, Fault> {
    let (key, demanded) = match condition {
        Condition::Absent(key) => (key, None),
        Condition::At(key, revision) => (key, Some(revision.get())),
    };
    let found = entries.get(key.as_str())?.map(|row| row.value().0);
    let word = |revision: Option<u64>| revision.map_or_else(|| "absent".to_owned(), |it| format!("at {it}"));
    Ok(if found == demanded {
        Ok(())
    } else {
        Err(Error::conflict("state-moved", format!("{key}: {}, expected {}", word(found), word(demanded))))
    })
}

pub(crate) fn scan(
    entries: &impl ReadableTable<&'static str, (u64, &'static [u8])>,
    prefix: &str,
    after: Option<&Key>,
    limit: usize,
) -> Result<Vec<Entry>, Fault> {
    let from = match after {
        Some(key) if key.as_str() >= prefix => Bound::Excluded(key.as_str()),
        _ => Bound::Included(prefix),
    };
    let mut found = Vec::new();
    for row in entries.range::<&str>((from, Bound::Unbounded))? {
        let (key, row) = row?;
        if found.len() == limit || !key.value().starts_with(prefix) {
            break;
        }
        let name = Key::new(key.value()).map_err(|_| Fault::damaged("a key"))?;
        let (revision, value) = row.value();
        found.push(entry(name, revision, value));
    }
    Ok(found)
}

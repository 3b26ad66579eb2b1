//! What is written of one key behind the last stable offset. Pure.
//!
//! One transaction that hangs keeps the whole partition behind it from being stable, whoever wrote it and
//! whatever else was committed since. Here the transactions are told apart: each batch names its producer,
//! and so does each marker. A transaction that begins behind that offset ends behind it, and nothing behind
//! it is compacted, so that all there is to know of it is read.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::error::Error;
use crate::kafka::batch::{self, Batch, Marker, Record};

#[derive(Debug)]
struct Write {
    offset: i64,
    value: Option<Bytes>,
}

#[derive(Debug)]
struct Open {
    first: i64,
    last: Write,
}

/// One key, from an offset on below which everything is decided.
#[derive(Debug)]
pub(super) struct Tail {
    key: Bytes,
    next: i64,
    /// The value below that offset; then what was committed last, by offset.
    held: Write,
    /// What is not decided, by producer.
    open: BTreeMap<i64, Open>,
}

impl Tail {
    /// Before anything behind this offset was read, with the key's value below it.
    pub(super) fn new(key: &str, next: i64, value: Option<Bytes>) -> Self {
        let key = Bytes::copy_from_slice(key.as_bytes());
        Self { key, next, held: Write { offset: -1, value }, open: BTreeMap::new() }
    }

    /// Offset to read from.
    pub(super) fn next(&self) -> i64 {
        self.next
    }

    /// The value, as far as it is decided.
    pub(super) fn value(&self) -> Option<&Bytes> {
        self.held.value.as_ref()
    }

    /// Where the key was written, before this offset, in a transaction that has not ended.
    pub(super) fn undecided_before(&self, offset: i64) -> Option<i64> {
        self.open.values().map(|open| open.first).filter(|first| *first < offset).min()
    }

    /// Folds an answer to a fetch of everything, decided or not.
    ///
    /// # Errors
    /// As reading a batch.
    pub(super) fn fold(&mut self, bytes: Bytes) -> Result<(), Error> {
        for batch in batch::iter(bytes) {
            let batch = batch?;
            if batch.last_offset < self.next {
                continue;
            }
            if batch.control {
                self.end(&batch)?;
            } else {
                batch.records()?.into_iter().for_each(|record| self.write(&batch, record));
            }
            self.next = batch.last_offset + 1;
        }
        Ok(())
    }

    fn write(&mut self, batch: &Batch, record: Record) {
        // The first batch may begin before what was asked for.
        if record.offset < self.next || record.key.as_ref() != Some(&self.key) {
            return;
        }
        // Copied out of the fetch's buffer, which is larger.
        let value = record.value.map(|value| Bytes::copy_from_slice(&value));
        let write = Write { offset: record.offset, value };
        if !batch.transactional {
            return self.commit(write);
        }
        match self.open.get_mut(&batch.producer.producer_id) {
            Some(open) => open.last = write,
            None => {
                let open = Open { first: write.offset, last: write };
                self.open.insert(batch.producer.producer_id, open);
            }
        }
    }

    fn end(&mut self, batch: &Batch) -> Result<(), Error> {
        let Some(marker) = batch.marker()? else { return Ok(()) };
        match (self.open.remove(&batch.producer.producer_id), marker) {
            (Some(open), Marker::Commit) => self.commit(open.last),
            (None, _) | (_, Marker::Abort) => {}
        }
        Ok(())
    }

    // The last record counts and not the last commit, as for whoever reads it once all is decided.
    fn commit(&mut self, write: Write) {
        if write.offset > self.held.offset {
            self.held = write;
        }
    }
}

#[cfg(test)]
mod tests;

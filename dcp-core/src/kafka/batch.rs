//! Record batches of format 2, as brokers store and send them. Pure: no I/O, no clock.
//!
//! [`iter`] walks what a fetch answered: each batch is checked (magic, lengths, counts, CRC-32C) before
//! it is given out, and a last batch that is cut, as fetches end, ends the walk. A [`Batch`] is a slice
//! of the bytes that were handed in; [`Batch::records`] decodes it, and decompresses it within a bound.
//! [`encode`] makes one batch, not compressed.
//!
//! # Bounds
//!
//! A batch decompresses to at most [`DECOMPRESSED_MAX_BYTES`] and is refused beyond.

mod compression;
mod encode;
mod header;
mod records;
#[cfg(test)]
mod tests;
mod varint;

pub use encode::encode;
pub use header::{Batches, iter};

use bytes::Bytes;

use super::transactions::ProducerSession;
use crate::error::Error;

/// Most bytes that one batch's records may take when decompressed.
pub const DECOMPRESSED_MAX_BYTES: usize = 32 << 20;

/// One record of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Record {
    /// Its place in the partition; [`encode`] numbers records itself and does not look at it.
    pub offset: i64,
    /// Milliseconds since 1970; -1 for none.
    pub timestamp: i64,
    /// The key.
    pub key: Option<Bytes>,
    /// The value; none is a tombstone.
    pub value: Option<Bytes>,
    /// Names and values in their order, duplicates kept. Names are UTF-8 by convention only.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Marker {
    /// The producer's records since its last marker count.
    Commit,
    /// They do not.
    Abort,
}

/// How a batch's records are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Snappy, bare or in Java's frames.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

/// One batch, checked, its records still as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// Offset of its first record.
    pub base_offset: i64,
    /// Offset of its last record; after compaction there may be fewer records than offsets.
    pub last_offset: i64,
    /// Epoch of the leader that appended it; -1 if it was not stored yet.
    pub leader_epoch: i32,
    /// How its records are compressed.
    pub compression: Compression,
    /// Whether timestamps are those of the append and not the producer's.
    pub log_append_time: bool,
    /// Whether a transaction decides about it.
    pub transactional: bool,
    /// Whether it holds a marker and no user's records.
    pub control: bool,
    /// Timestamp that its records' count from.
    pub base_timestamp: i64,
    /// The largest timestamp.
    pub max_timestamp: i64,
    /// Who produced it; -1 and -1 for nobody.
    pub producer: ProducerSession,
    /// Number of its first record within the producer's session; -1 for none.
    pub base_sequence: i32,
    /// Number of records.
    pub count: u32,
    body: Bytes,
}

impl Batch {
    /// Its records, in order. A slice of the batch where it is not compressed.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are not what the header says; `Refused` (`batch-too-large`) above
    /// [`DECOMPRESSED_MAX_BYTES`].
    pub fn records(&self) -> Result<Vec<Record>, Error> {
        records::decode(self)
    }

    /// How the producer's transaction ended, if this is a control batch that says so.
    ///
    /// # Errors
    /// As [`Batch::records`].
    pub fn marker(&self) -> Result<Option<Marker>, Error> {
        if !self.control {
            return Ok(None);
        }
        // Key: version and type, 2 bytes each. Other types are of later protocols and end nothing.
        let records = self.records()?;
        let key = records.first().and_then(|record| record.key.as_deref());
        Ok(match key {
            Some([_, _, 0, 0, ..]) => Some(Marker::Abort),
            Some([_, _, 0, 1, ..]) => Some(Marker::Commit),
            _ => None,
        })
    }
}

fn corrupt(offset: i64, what: impl std::fmt::Display) -> Error {
    Error::corrupt("damaged-batch", format!("batch at offset {offset}: {what}"))
}

//! Several records in one value.
//!
//! A chunk is one byte of format, the log's digest before its first record, then the records in
//! postcard one after the other. The digest at its beginning makes the digest at any count cost one
//! chunk.
//!
//! The engine keeps a value in a page whose size is a power of two of at least 4 KB, less
//! some forty bytes of its own. Chunks are filled to just below such a size: otherwise up to half
//! of each page would be empty.

use crate::digest::Digest;
use crate::embedded::Fault;
use crate::event::Record;
use crate::position::PrefixDigest;
use crate::store::append::Planned;

const FORMAT: u8 = 1;
const HEADER: usize = 1 + 32;
/// Largest page that is filled; one record may still need a larger one.
const PAGE_MAX: usize = 16 << 10;
const PAGE_MIN: usize = 4 << 10;
/// What the engine keeps in a page beside the value.
const PAGE_OVERHEAD: usize = 40;

/// A chunk and the ordinal of its first record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    pub(crate) first: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Packs the records that follow `before`.
pub(crate) fn pack(before: PrefixDigest, records: &[Planned]) -> Result<Vec<Packed>, Fault> {
    let encoded = records
        .iter()
        .map(|planned| postcard::to_stdvec(&planned.record))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|cause| Fault::damaged(format!("a record that cannot be encoded: {cause}")))?;
    let mut left: usize = encoded.iter().map(Vec::len).sum();
    let mut before = before;
    let mut packed = Vec::new();
    let mut records = records.iter().zip(&encoded).peekable();
    while records.peek().is_some() {
        let room = page_for(left + HEADER) - PAGE_OVERHEAD;
        let first = before.count + 1;
        let mut bytes = Vec::with_capacity(room.min(left + HEADER));
        bytes.push(FORMAT);
        bytes.extend_from_slice(before.digest.as_bytes());
        while let Some((planned, record)) =
            records.next_if(|(_, record)| bytes.len() == HEADER || bytes.len() + record.len() <= room)
        {
            bytes.extend_from_slice(record);
            left -= record.len();
            before = planned.prefix;
        }
        packed.push(Packed { first, bytes });
    }
    Ok(packed)
}

/// The largest page that so many bytes fill, within the bounds.
fn page_for(bytes: usize) -> usize {
    let mut page = PAGE_MAX;
    while page > PAGE_MIN && bytes + PAGE_OVERHEAD < page {
        page /= 2;
    }
    page
}

/// Reads a chunk record by record.
#[derive(Debug)]
pub(crate) struct Unpacked<'a> {
    /// The log's prefix before the next record.
    before: PrefixDigest,
    rest: &'a [u8],
}

impl<'a> Unpacked<'a> {
    pub(crate) fn of(first: u64, bytes: &'a [u8]) -> Result<Self, Fault> {
        let damaged = || Fault::damaged(format!("the chunk of record {first}"));
        let (format, body) = bytes.split_first().ok_or_else(damaged)?;
        let (digest, rest) = body.split_first_chunk::<32>().ok_or_else(damaged)?;
        if *format != FORMAT || first == 0 {
            return Err(damaged());
        }
        Ok(Self { before: PrefixDigest { count: first - 1, digest: Digest::from_bytes(*digest) }, rest })
    }

    /// The log's prefix before the chunk.
    pub(crate) fn before(&self) -> PrefixDigest {
        self.before
    }
}

impl Iterator for Unpacked<'_> {
    /// Ordinal and record.
    type Item = Result<(u64, Record), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        self.before.count += 1;
        match postcard::take_from_bytes::<Record>(self.rest) {
            Ok((record, rest)) => {
                self.rest = rest;
                Some(Ok((self.before.count, record)))
            }
            Err(cause) => {
                self.rest = &[];
                Some(Err(Fault::damaged(format!("record {}: {cause}", self.before.count))))
            }
        }
    }
}

#[cfg(test)]
mod tests;

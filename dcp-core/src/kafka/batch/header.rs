//! Where one batch ends and the next begins, and whether it is whole.

use bytes::{Buf as _, Bytes};

use super::{Batch, Compression, ProducerSession, corrupt};
use crate::error::Error;

/// Base offset and length come before what the length counts.
const PREFIX: usize = 12;
/// The whole header.
pub(super) const HEADER: usize = 61;
/// Where the bytes begin that the checksum covers.
pub(super) const CHECKED: usize = 21;
/// The only format that is read and written.
pub(super) const MAGIC: i8 = 2;

pub(super) const COMPRESSION_MASK: i16 = 0b111;
pub(super) const LOG_APPEND_TIME: i16 = 1 << 3;
pub(super) const TRANSACTIONAL: i16 = 1 << 4;
pub(super) const CONTROL: i16 = 1 << 5;

/// Walks the batches of a fetched slice.
#[must_use]
pub fn iter(bytes: Bytes) -> Batches {
    Batches { rest: bytes }
}

/// The batches of a fetched slice, in order. After an error it ends.
#[derive(Debug, Clone)]
pub struct Batches {
    rest: Bytes,
}

impl Iterator for Batches {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut offset, mut length) = (self.rest.get(..8)?, self.rest.get(8..PREFIX)?);
        let (offset, length) = (offset.get_i64(), length.get_i32());
        let Ok(length) = usize::try_from(length) else {
            self.rest.clear();
            return Some(Err(corrupt(offset, format_args!("{length} bytes long"))));
        };
        // The last batch of a fetch may be cut.
        if self.rest.len() - PREFIX < length {
            self.rest.clear();
            return None;
        }
        let batch = read(offset, self.rest.split_to(PREFIX + length));
        if batch.is_err() {
            self.rest.clear();
        }
        Some(batch)
    }
}

fn read(base_offset: i64, whole: Bytes) -> Result<Batch, Error> {
    if whole.len() < HEADER {
        return Err(corrupt(base_offset, format_args!("{} bytes, a header has {HEADER}", whole.len())));
    }
    let mut fields = &whole[PREFIX..HEADER];
    let leader_epoch = fields.get_i32();
    let magic = fields.get_i8();
    if magic != MAGIC {
        return Err(corrupt(base_offset, format_args!("format {magic}, only {MAGIC} is read")));
    }
    let (stored, computed) = (fields.get_u32(), crc32c::crc32c(&whole[CHECKED..]));
    if stored != computed {
        return Err(corrupt(base_offset, format_args!("checksum {computed:08x}, its header says {stored:08x}")));
    }
    let attributes = fields.get_i16();
    let last_delta = fields.get_i32();
    let (base_timestamp, max_timestamp) = (fields.get_i64(), fields.get_i64());
    let producer = ProducerSession { producer_id: fields.get_i64(), epoch: fields.get_i16() };
    let (base_sequence, count) = (fields.get_i32(), fields.get_i32());
    let counted =
        u32::try_from(count).ok().filter(|_| last_delta >= 0 && i64::from(count) <= i64::from(last_delta) + 1);
    let last_offset = base_offset.checked_add(i64::from(last_delta)).filter(|_| base_offset >= 0);
    let (Some(count), Some(last_offset)) = (counted, last_offset) else {
        return Err(corrupt(base_offset, format_args!("{count} records over {last_delta} + 1 offsets")));
    };
    Ok(Batch {
        base_offset,
        last_offset,
        leader_epoch,
        compression: compression(base_offset, attributes)?,
        log_append_time: attributes & LOG_APPEND_TIME != 0,
        transactional: attributes & TRANSACTIONAL != 0,
        control: attributes & CONTROL != 0,
        base_timestamp,
        max_timestamp,
        producer,
        base_sequence,
        count,
        body: whole.slice(HEADER..),
    })
}

fn compression(offset: i64, attributes: i16) -> Result<Compression, Error> {
    match attributes & COMPRESSION_MASK {
        0 => Ok(Compression::None),
        1 => Ok(Compression::Gzip),
        2 => Ok(Compression::Snappy),
        3 => Ok(Compression::Lz4),
        4 => Ok(Compression::Zstd),
        other => Err(corrupt(offset, format_args!("compression {other} is not known"))),
    }
}

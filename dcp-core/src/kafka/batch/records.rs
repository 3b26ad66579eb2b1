//! The records of a batch.

use bytes::Bytes;

use super::varint::Reader;
use super::{Batch, Record, compression, corrupt};
use crate::error::Error;

/// A record is at least this long: its length, attributes, two deltas, two lengths and a count.
const RECORD_MIN: usize = 7;

pub(super) fn decode(batch: &Batch) -> Result<Vec<Record>, Error> {
    let body = compression::decompress(batch.compression, &batch.body)
        .map_err(|error| error.at(format_args!("batch at offset {}", batch.base_offset)))?;
    let count = batch.count as usize;
    // No room is made for more records than the bytes can hold.
    if body.len() / RECORD_MIN < count {
        return Err(corrupt(batch.base_offset, format_args!("{count} records in {} bytes", body.len())));
    }
    let mut records = Vec::with_capacity(count);
    let mut rest = Reader(body);
    let mut least = batch.base_offset;
    for number in 0..count {
        let read = record(&mut rest, batch).filter(|one| (least..=batch.last_offset).contains(&one.offset));
        let Some(read) = read else {
            return Err(corrupt(batch.base_offset, format_args!("record {number} of {count} is damaged")));
        };
        least = read.offset + 1;
        records.push(read);
    }
    if !rest.0.is_empty() {
        return Err(corrupt(batch.base_offset, format_args!("{} bytes after {count} records", rest.0.len())));
    }
    Ok(records)
}

fn record(rest: &mut Reader, batch: &Batch) -> Option<Record> {
    let length = usize::try_from(rest.int()?).ok()?;
    let mut own = Reader(rest.take(length)?);
    let _attributes = own.byte()?;
    let timestamp = own.long()?;
    let timestamp =
        if batch.log_append_time { batch.max_timestamp } else { batch.base_timestamp.checked_add(timestamp)? };
    let offset = batch.base_offset.checked_add(i64::from(own.int()?))?;
    let (key, value) = (own.sized()?, own.sized()?);
    let count = usize::try_from(own.int()?).ok()?;
    let mut headers: Vec<(Bytes, Option<Bytes>)> = Vec::with_capacity(count.min(own.0.len() / 2));
    for _ in 0..count {
        let name = own.sized()??;
        headers.push((name, own.sized()?));
    }
    own.0.is_empty().then_some(Record { offset, timestamp, key, value, headers })
}

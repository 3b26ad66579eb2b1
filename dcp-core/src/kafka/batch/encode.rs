//! Records to one batch.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::header::{CHECKED, HEADER, MAGIC, TRANSACTIONAL};
use super::{ProducerSession, Record, varint};
use crate::error::Error;

/// One batch of these records, not compressed, whose offsets count from 0 as brokers ask for.
///
/// # Errors
/// `Invalid` for no records, or for more than a batch's 32-bit numbers can count.
pub fn encode(
    records: &[Record],
    producer: ProducerSession,
    base_sequence: i32,
    transactional: bool,
) -> Result<Bytes, Error> {
    let first = records.first().ok_or_else(|| Error::invalid("empty-batch", "a batch has at least one record"))?;
    let base = first.timestamp;
    let largest = records.iter().map(|record| record.timestamp).max().unwrap_or(base);
    let mut out = BytesMut::with_capacity(HEADER + records.iter().map(|record| 32 + payload(record)).sum::<usize>());
    out.put_bytes(0, HEADER);
    for (delta, record) in (0_i64..).zip(records) {
        put(&mut out, record, record.timestamp.wrapping_sub(base), delta);
    }
    let too_large = || Error::invalid("batch-too-large", format!("{} records", records.len()));
    let length = i32::try_from(out.len() - 12).map_err(|_| too_large())?;
    let count = i32::try_from(records.len()).map_err(|_| too_large())?;
    let mut checked = &mut out[CHECKED..HEADER];
    checked.put_i16(if transactional { TRANSACTIONAL } else { 0 });
    checked.put_i32(count - 1);
    checked.put_i64(base);
    checked.put_i64(largest);
    checked.put_i64(producer.producer_id);
    checked.put_i16(producer.epoch);
    checked.put_i32(base_sequence);
    checked.put_i32(count);
    let checksum = crc32c::crc32c(&out[CHECKED..]);
    let mut head = &mut out[..CHECKED];
    head.put_i64(0);
    head.put_i32(length);
    head.put_i32(-1);
    head.put_i8(MAGIC);
    head.put_u32(checksum);
    Ok(out.freeze())
}

fn put(out: &mut BytesMut, record: &Record, timestamp: i64, delta: i64) {
    let count = size(record.headers.len());
    let fixed = 1 + varint::length(timestamp) + varint::length(delta) + varint::length(count);
    let headers: usize = record.headers.iter().map(|(name, value)| sized(Some(name)) + sized(value.as_ref())).sum();
    let length = fixed + sized(record.key.as_ref()) + sized(record.value.as_ref()) + headers;
    varint::put(out, size(length));
    out.put_u8(0);
    varint::put(out, timestamp);
    varint::put(out, delta);
    put_sized(out, record.key.as_ref());
    put_sized(out, record.value.as_ref());
    varint::put(out, count);
    for (name, value) in &record.headers {
        put_sized(out, Some(name));
        put_sized(out, value.as_ref());
    }
}

fn put_sized(out: &mut BytesMut, bytes: Option<&Bytes>) {
    varint::put(out, bytes.map_or(-1, |bytes| size(bytes.len())));
    out.extend_from_slice(bytes.map_or(&[], |bytes| &bytes[..]));
}

fn sized(bytes: Option<&Bytes>) -> usize {
    bytes.map_or(1, |bytes| varint::length(size(bytes.len())) + bytes.len())
}

fn payload(record: &Record) -> usize {
    let headers: usize = record.headers.iter().map(|(name, value)| sized(Some(name)) + sized(value.as_ref())).sum();
    sized(record.key.as_ref()) + sized(record.value.as_ref()) + headers
}

// What does not fit a batch is refused by its whole length.
fn size(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

//! Batches as brokers store them, for tests.

use bytes::Bytes;

use crate::kafka::ProducerSession;
use crate::kafka::batch::{self, Marker, Record};

/// A producer's records at an offset; of nobody's transaction below producer 0.
pub(super) fn records(offset: i64, producer_id: i64, records: &[Record]) -> Bytes {
    at(offset, producer_id, records).into()
}

/// The end of a producer's transaction.
pub(super) fn marker(offset: i64, producer_id: i64, marker: Marker) -> Bytes {
    let key = vec![0, 0, 0, u8::from(marker == Marker::Commit)];
    let record = Record { offset: 0, timestamp: 0, key: Some(key.into()), value: None, headers: vec![] };
    let mut bytes = at(offset, producer_id, &[record]);
    // A control batch, and the checksum again.
    bytes[22] |= 0x20;
    let checksum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    bytes.into()
}

fn at(offset: i64, producer_id: i64, records: &[Record]) -> Vec<u8> {
    let session = ProducerSession { producer_id, epoch: 0 };
    let mut bytes = batch::encode(records, session, 0, producer_id >= 0).unwrap().to_vec();
    bytes[..8].copy_from_slice(&offset.to_be_bytes());
    bytes[12..16].copy_from_slice(&3_i32.to_be_bytes());
    bytes
}

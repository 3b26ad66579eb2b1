//! Golden vectors were made by an encoder of another language.

use std::io::Write as _;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::header::{CHECKED, HEADER};
use super::*;
use crate::error::ErrorKind;

const PLAIN: &str = "000000000000000000000056ffffffff0248970a9900100000000200000000000003e80000000000000514\
    0000000000000fa00007000000050000000326000000026b0a666972737404026102310261010c0009020101001200d804040000020000";
const GZIP: &str = "000000000000002a00000069ffffffff022303ccb700010000000200000000000003e80000000000000514\
    ffffffffffffffffffffffffffff000000031f8b08000000000002035363606060cae64acb2c2a2e61614a6432644a64e461e0646264641062\
    b8c1c20294656000003a7ea4c425000000";
const COMMIT: &str = "000000000000000900000042ffffffff02c3301f1400300000000000000000000000010000000000000001\
    0000000000000fa00007ffffffff000000012000000008000000010c00000000000000";

const NOBODY: ProducerSession = ProducerSession { producer_id: -1, epoch: -1 };
const SESSION: ProducerSession = ProducerSession { producer_id: 4_000, epoch: 7 };

fn bytes(hexadecimal: &str) -> Bytes {
    hex::decode(hexadecimal).unwrap().into()
}

fn only(batch: Bytes) -> Batch {
    let mut batches = iter(batch);
    let one = batches.next().unwrap().unwrap();
    assert!(batches.next().is_none());
    one
}

fn three(base: i64) -> Vec<Record> {
    let record = |offset, timestamp, key, value, headers| Record { offset, timestamp, key, value, headers };
    let some = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    vec![
        record(base, 1_000, some("k"), some("first"), vec![("a".into(), some("1")), ("a".into(), None)]),
        record(base + 1, 995, None, None, vec![]),
        record(base + 2, 1_300, some(""), some(""), vec![("".into(), some(""))]),
    ]
}

#[test]
fn encodes_what_another_encoder_does() {
    assert_eq!(encode(&three(99), SESSION, 5, true).unwrap(), bytes(PLAIN));
}

#[test]
fn reads_what_another_encoder_wrote() {
    let batch = only(bytes(PLAIN));
    assert_eq!((batch.producer, batch.base_sequence, batch.count), (SESSION, 5, 3));
    assert!(batch.transactional && !batch.control && !batch.log_append_time);
    assert_eq!(batch.records().unwrap(), three(0));
    let batch = only(bytes(GZIP));
    assert_eq!((batch.compression, batch.last_offset, batch.producer), (Compression::Gzip, 44, NOBODY));
    assert_eq!(batch.records().unwrap(), three(42));
}

#[test]
fn a_marker_says_how_its_transaction_ended() {
    let batch = only(bytes(COMMIT));
    assert!(batch.control && batch.transactional);
    assert_eq!(batch.marker().unwrap(), Some(Marker::Commit));
    assert_eq!(only(bytes(PLAIN)).marker().unwrap(), None);
}

#[test]
fn a_cut_last_batch_ends_the_walk() {
    let (first, second) = (bytes(PLAIN), bytes(GZIP));
    for cut in 0..second.len() {
        let both = [&first[..], &second[..cut]].concat();
        assert_eq!(iter(both.into()).map(Result::unwrap).count(), 1, "cut after {cut}");
    }
}

#[test]
fn damage_is_found_wherever_the_checksum_reaches() {
    let whole = bytes(PLAIN);
    for at in CHECKED..whole.len() {
        let mut damaged = whole.to_vec();
        damaged[at] ^= 0x40;
        let error = iter(damaged.into()).next().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {at}");
    }
    let mut magic = whole.to_vec();
    magic[16] = 1;
    assert!(iter(magic.into()).next().unwrap().is_err());
}

// A batch with this body and these attributes, whose checksum holds.
fn forged(attributes: u8, last_delta: i32, count: i32, body: &[u8]) -> Bytes {
    let mut out = bytes(PLAIN)[..HEADER].to_vec();
    out.extend(body);
    let length = i32::try_from(out.len() - 12).unwrap();
    out[8..12].copy_from_slice(&length.to_be_bytes());
    out[22] = attributes;
    out[23..27].copy_from_slice(&last_delta.to_be_bytes());
    out[57..61].copy_from_slice(&count.to_be_bytes());
    let checksum = crc32c::crc32c(&out[CHECKED..]);
    out[17..21].copy_from_slice(&checksum.to_be_bytes());
    out.into()
}

fn body() -> Vec<u8> {
    bytes(PLAIN)[HEADER..].to_vec()
}

#[test]
fn every_compression_is_read() {
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(&body()).unwrap();
    let zstd = ruzstd::encoding::compress_to_vec(&body()[..], ruzstd::encoding::CompressionLevel::Fastest);
    let bare = snap::raw::Encoder::new().compress_vec(&body()).unwrap();
    let mut framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for half in [&body()[..10], &body()[10..]] {
        let chunk = snap::raw::Encoder::new().compress_vec(half).unwrap();
        framed.extend(u32::try_from(chunk.len()).unwrap().to_be_bytes());
        framed.extend(chunk);
    }
    for (codec, compressed) in [(2, bare), (2, framed), (3, lz4.finish().unwrap()), (4, zstd)] {
        assert_eq!(only(forged(codec, 2, 3, &compressed)).records().unwrap(), three(0), "codec {codec}");
    }
    assert!(iter(forged(5, 2, 3, &body())).next().unwrap().is_err());
}

#[test]
fn counts_that_contradict_the_body_are_refused() {
    for (last_delta, count) in [(1, 3), (-1, 0), (2, -1), (0, i32::MAX)] {
        assert!(iter(forged(0, last_delta, count, &body())).next().unwrap().is_err(), "{last_delta} {count}");
    }
    for count in [1, 2] {
        assert!(only(forged(0, 2, count, &body())).records().is_err(), "{count}");
    }
    assert!(only(forged(0, 9, 4, &body())).records().is_err());
    assert!(only(forged(0, i32::MAX - 1, i32::MAX, &body())).records().is_err());
    // Compaction leaves fewer records than offsets.
    assert_eq!(only(forged(0, 9, 3, &body())).records().unwrap().len(), 3);
}

#[test]
fn a_bomb_is_refused() {
    let mut deflated = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let block = vec![0; 1 << 20];
    for _ in 0..=DECOMPRESSED_MAX_BYTES / block.len() {
        deflated.write_all(&block).unwrap();
    }
    let error = only(forged(1, 0, 1, &deflated.finish().unwrap())).records().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}

#[test]
fn nothing_is_no_batch() {
    assert_eq!(encode(&[], SESSION, 0, true).unwrap_err().kind(), ErrorKind::Invalid);
}

fn some_bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

fn some_record() -> impl Strategy<Value = Record> {
    let headers = vec((some_bytes(), option::of(some_bytes())), 0..4);
    (0..i64::MAX / 2, option::of(some_bytes()), option::of(some_bytes()), headers)
        .prop_map(|(timestamp, key, value, headers)| Record { offset: 0, timestamp, key, value, headers })
}

proptest! {
    #[test]
    fn what_was_encoded_is_read(records in vec(some_record(), 1..20), sequence in 0..i32::MAX) {
        let batch = only(encode(&records, SESSION, sequence, true).unwrap());
        let numbered = (0..).zip(records).map(|(offset, record)| Record { offset, ..record });
        prop_assert_eq!(batch.records().unwrap(), numbered.collect::<Vec<_>>());
    }

    #[test]
    fn garbage_panics_nowhere(garbage in vec(any::<u8>(), 0..300), codec in 0_u8..8, count in 0..100_i32) {
        for batch in iter(Bytes::from(garbage.clone())) {
            let _ = batch.and_then(|batch| batch.records());
        }
        for batch in iter(forged(codec, count, count, &garbage)) {
            let _ = batch.and_then(|batch| batch.marker().and(batch.records()));
        }
    }
}

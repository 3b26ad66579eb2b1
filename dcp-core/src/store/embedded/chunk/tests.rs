use bytes::Bytes;
use proptest::prelude::*;

use super::{HEADER, PAGE_MAX, PAGE_OVERHEAD, Packed, Unpacked, pack};
use crate::digest::Digest;
use crate::event::{EventId, NewEvent, Record, StreamId, Version};
use crate::ownership::Epoch;
use crate::position::{LogIncarnation, Position, PrefixDigest};
use crate::store::append::Planned;

fn planned(before: PrefixDigest, records: impl IntoIterator<Item = Record>) -> Vec<Planned> {
    let mut prefix = before;
    let plan = |record: Record| {
        prefix = prefix.then(&record.digest());
        let position = Position::from_store(LogIncarnation::from_bytes([9; 16]), prefix.count);
        Planned { position, content: record.content_digest(), record, prefix }
    };
    records.into_iter().map(plan).collect()
}

fn record(number: u8, payload: &[u8]) -> Record {
    let event = NewEvent::new(
        EventId::from_bytes([number; 16]),
        StreamId::new("85123A"),
        "sold",
        Bytes::copy_from_slice(payload),
    );
    Record::of(event, Epoch::new(2), Version::new(300))
}

/// The bytes of format 1. A change of them makes every existing file unreadable.
#[test]
fn a_chunk_has_these_bytes() {
    let before = PrefixDigest { count: 41, digest: Digest::from_bytes([0xD1; 32]) };
    let mut second = record(0xB2, b"");
    second.key = Some(Bytes::from_static(b"k"));
    second.headers = vec![("h".to_owned(), Bytes::from_static(b"\x00\xFF"))];
    let packed = pack(before, &planned(before, [record(0xA1, b"12,3.50"), second])).unwrap();
    let expected = [
        "01",               // format
        &"d1".repeat(32),   // digest before
        &"a1".repeat(16),   // id
        "06383531323341",   // stream, after its length
        "ac02",             // version 300
        "02",               // epoch 2
        "04736f6c64",       // type
        "00",               // no key
        "0731322c332e3530", // payload
        "00",               // no headers
        &"b2".repeat(16),
        "06383531323341",
        "ac02",
        "02",
        "04736f6c64",
        "01016b",       // key
        "00",           // empty payload
        "0101680200ff", // one header
    ]
    .concat();
    assert_eq!(packed.len(), 1);
    assert_eq!(packed[0].first, 42);
    assert_eq!(hex::encode(&packed[0].bytes), expected);
}

#[test]
fn damaged_chunks_are_told() {
    let packed = pack(PrefixDigest::EMPTY, &planned(PrefixDigest::EMPTY, [record(1, b"payload")])).unwrap();
    let Packed { first, bytes } = &packed[0];
    let read = |bytes: &[u8]| Unpacked::of(*first, bytes).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    assert_eq!(read(bytes).unwrap().len(), 1);
    let mut other_format = bytes.clone();
    other_format[0] = 2;
    for damaged in [&other_format[..], &bytes[..20], &bytes[..bytes.len() - 1], &[]] {
        assert!(read(damaged).is_err(), "{damaged:?}");
    }
}

proptest! {
    #[test]
    fn what_is_packed_is_unpacked(sizes in prop::collection::vec(0_usize..6_000, 1..60), count in 0_u64..1_000) {
        let before = PrefixDigest { count, digest: Digest::of(&count.to_be_bytes()) };
        let records: Vec<Record> = sizes.iter().map(|size| record(7, &vec![7; *size])).collect();
        let plan = planned(before, records.clone());
        let mut prefix = before;
        let mut read = Vec::new();
        for Packed { first, bytes } in pack(before, &plan).unwrap() {
            prop_assert!(bytes.len() <= PAGE_MAX - PAGE_OVERHEAD);
            let unpacked = Unpacked::of(first, &bytes).unwrap();
            prop_assert_eq!(unpacked.before(), prefix);
            for held in unpacked {
                let (ordinal, record) = held.unwrap();
                prefix = prefix.then(&record.digest());
                prop_assert_eq!(ordinal, prefix.count);
                read.push(record);
            }
        }
        prop_assert_eq!(read, records);
        prop_assert_eq!(prefix, plan[plan.len() - 1].prefix);
    }

    #[test]
    fn large_records_stand_alone(size in PAGE_MAX..4 * PAGE_MAX) {
        let plan = planned(PrefixDigest::EMPTY, [record(1, b""), record(2, &vec![7; size]), record(3, b"")]);
        let packed = pack(PrefixDigest::EMPTY, &plan).unwrap();
        prop_assert_eq!(packed.iter().map(|chunk| chunk.first).collect::<Vec<_>>(), [1, 2, 3]);
        prop_assert!(packed[1].bytes.len() > size + HEADER);
    }
}

mod random;

use std::io::IoSlice;

use bytes::{Buf as _, Bytes, BytesMut};
use kafka_protocol::messages::{MetadataRequest, ProduceRequest, RequestHeader};
use kafka_protocol::protocol::Decodable as _;
use proptest::prelude::*;

use self::random::{Random, frame};
use super::api::ALL;
use super::{Segments, body_length, decode, encode, encode_produce};
use crate::error::ErrorKind;
use crate::kafka::raw_batch::RawBatch;
use crate::kafka::topic::TopicPartition;

fn put_together(mut segments: Segments) -> Bytes {
    segments.copy_to_bytes(segments.remaining())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    // What has the outline is what the codec reads, and what the codec writes has the outline.
    #[test]
    fn outlines_and_codec_agree_on_every_answer(seed: u64) {
        for entry in ALL {
            let sent = frame(entry, &mut Random(seed));
            let again = (entry.decode)(sent).unwrap_or_else(|error| panic!("{}: {error}", entry.api.name));
            super::shape::check(entry.shape, entry.api.flexible, &again).unwrap();
        }
    }

    #[test]
    fn an_answer_that_is_cut_or_longer_is_no_answer(seed: u64) {
        for entry in ALL {
            let whole = frame(entry, &mut Random(seed));
            for end in (0..whole.len()).step_by(1 + whole.len() / 200) {
                prop_assert!((entry.decode)(whole.slice(..end)).is_err(), "{} at {end}", entry.api.name);
            }
            let longer = Bytes::from([&whole[..], &[0]].concat());
            prop_assert!((entry.decode)(longer).is_err(), "{}", entry.api.name);
        }
    }

    #[test]
    fn an_answer_with_wrong_bytes_or_of_garbage_does_not_panic(seed: u64, garbage: Vec<u8>) {
        for entry in ALL {
            let mut random = Random(seed);
            let mut bytes = frame(entry, &mut random).to_vec();
            for _ in 0..1 + random.below(4) {
                let at = random.below(bytes.len());
                bytes[at] = [0, 0x7f, 0x80, 0xff, random.byte()][random.below(5)];
            }
            drop((entry.decode)(bytes.into()));
            drop((entry.decode)(garbage.clone().into()));
        }
    }

    #[test]
    fn segments_advance_as_the_bytes_they_stand_for(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..8),
        steps in prop::collection::vec(1_usize..15, 0..40),
    ) {
        let (mut segments, mut whole) = (Segments::default(), Vec::new());
        for part in parts {
            whole.extend_from_slice(&part);
            segments.push(part.into());
        }
        let mut whole = Bytes::from(whole);
        for step in steps {
            let step = step.min(whole.len());
            let mut slices = [IoSlice::new(&[]); 3];
            let filled = segments.chunks_vectored(&mut slices);
            let seen: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
            prop_assert!(whole.starts_with(&seen) && (whole.is_empty() || !seen.is_empty()));
            segments.advance(step);
            whole.advance(step);
            prop_assert_eq!(segments.remaining(), whole.len());
        }
        prop_assert_eq!(put_together(segments), whole);
    }
}

// The codec would ask for as much memory as the counts say, and the process would be aborted.
#[test]
fn a_count_that_the_frame_does_not_hold_reserves_nothing() {
    for entry in ALL {
        for count in [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0x7f, 0xff, 0xff, 0xff], &[0xff, 0xff, 0xff, 0x7f]] {
            for before in 0..60 {
                let body = [vec![0; before], count.to_vec(), vec![0; 40]].concat();
                let header: &[u8] = if entry.api.flexible && entry.api.key != 18 { &[0; 5] } else { &[0; 4] };
                drop((entry.decode)([header, &body].concat().into()));
            }
        }
    }
}

#[test]
fn lengths_outside_of_the_bounds_are_refused_before_anything_is_reserved() {
    let read = |length: i32| body_length(length.to_be_bytes(), 1_000).map_err(|error| error.kind());
    for length in [i32::MIN, -1, 0, 3, 1_001, i32::MAX, 0x1503_0100] {
        assert_eq!(read(length), Err(ErrorKind::Corrupt), "{length}");
    }
    assert_eq!((read(4), read(1_000)), (Ok(4), Ok(1_000)));
}

#[test]
fn a_request_is_framed_and_numbered() {
    let bytes = put_together(encode(77, "me", &MetadataRequest::default()).unwrap());
    assert_eq!(body_length(bytes[..4].try_into().unwrap(), 1_000).unwrap(), bytes.len() - 4);
    let header = RequestHeader::decode(&mut bytes.slice(4..), 2).unwrap();
    assert_eq!((header.request_api_key, header.request_api_version, header.correlation_id), (3, 12, 77));
}

#[test]
fn a_produce_request_is_what_the_codec_would_have_made_and_copies_nothing() {
    let at = |topic: &str, partition| TopicPartition::new(topic, partition);
    let (one, two, three) = (at("orders", 0), at("orders", 7), at("refunds", 1));
    let batch = |head: &'static [u8], body: &'static [u8]| RawBatch::new(head.into(), body.into());
    let (a, b, c) = (batch(b"head-a", b"body-a"), batch(b"head-b", b""), batch(&[7; 300], &[8; 20_000]));
    let sent = encode_produce(5, "me", Some("writer"), 1_500, &[(&one, &a), (&two, &b), (&three, &c)]).unwrap();
    let mut slices = [IoSlice::new(&[]); 16];
    let filled = sent.chunks_vectored(&mut slices);
    assert!(
        slices[..filled].iter().any(|slice| slice.as_ptr() == c.body.as_ptr()),
        "the body is sent from where it is"
    );

    let bytes = put_together(sent);
    assert_eq!(body_length(bytes[..4].try_into().unwrap(), 1 << 20).unwrap(), bytes.len() - 4);
    let mut rest = bytes.slice(4..);
    let header = RequestHeader::decode(&mut rest, 2).unwrap();
    assert_eq!((header.request_api_key, header.request_api_version, header.correlation_id), (0, 12, 5));
    let read = ProduceRequest::decode(&mut rest, 12).unwrap();
    assert!(rest.is_empty());
    assert_eq!((&**read.transactional_id.unwrap(), read.acks, read.timeout_ms), ("writer", -1, 1_500));
    let found: Vec<(String, i32, Bytes)> = read
        .topic_data
        .iter()
        .flat_map(|topic| {
            let of = |data: &kafka_protocol::messages::produce_request::PartitionProduceData| {
                (topic.name.to_string(), data.index, data.records.clone().unwrap())
            };
            topic.partition_data.iter().map(of).collect::<Vec<_>>()
        })
        .collect();
    let whole = |batch: &RawBatch| BytesMut::from_iter(batch.head.iter().chain(&batch.body)).freeze();
    let expected = [("orders", 0, whole(&a)), ("orders", 7, whole(&b)), ("refunds", 1, whole(&c))];
    assert_eq!(found, expected.map(|(topic, partition, bytes)| (topic.to_owned(), partition, bytes)));
}

#[test]
fn an_answer_to_another_request_is_unreadable() {
    let error = decode::<MetadataRequest>(Bytes::from_static(b"HTTP/1.1 400 Bad Request\r\n\r\n")).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Corrupt, "unreadable-answer"));
}

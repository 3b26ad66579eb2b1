use bytes::BytesMut;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceResponse, ResponseHeader};
use kafka_protocol::protocol::{Encodable as _, HeaderVersion as _, StrBytes};

use super::*;
use crate::error::{ErrorKind, Failure};
use crate::kafka::fetch::FetchFrom;
use crate::kafka::raw_batch::RawBatch;

fn at(partition: i32) -> TopicPartition {
    TopicPartition::new("orders", partition)
}

fn lawful() -> RawBatch {
    let mut bytes = vec![0; 71];
    bytes[8..12].copy_from_slice(&59_i32.to_be_bytes());
    bytes[16] = 2;
    bytes[43..51].copy_from_slice(&(-1_i64).to_be_bytes());
    bytes[57..61].copy_from_slice(&1_i32.to_be_bytes());
    Bytes::from(bytes).into()
}

fn write() -> (Exchange, Bytes, ProduceDue) {
    let mut exchange = Exchange::new("loop");
    let batches = (0..4).map(|partition| (at(partition), lawful())).collect();
    let (mut outgoing, due) = exchange.produce(&Produce::new(batches), Duration::from_secs(1)).unwrap();
    let bytes = outgoing.copy_to_bytes(outgoing.remaining());
    (exchange, bytes, due)
}

fn answer(number: i32, codes: &[i16]) -> Bytes {
    let partition = |(index, code): (i32, &i16)| {
        PartitionProduceResponse::default().with_index(index).with_error_code(*code).with_base_offset(40)
    };
    let topic = TopicProduceResponse::default()
        .with_name(StrBytes::from_static_str("orders").into())
        .with_partition_responses((0..).zip(codes).map(partition).collect());
    let version = ProduceRequest::API.version;
    let mut out = BytesMut::new();
    let header = ResponseHeader::default().with_correlation_id(number);
    header.encode(&mut out, ProduceResponse::header_version(version)).unwrap();
    ProduceResponse::default().with_responses(vec![topic]).encode(&mut out, version).unwrap();
    out.freeze()
}

#[test]
fn what_is_not_answered_or_not_certain_is_in_doubt() {
    // 7: the broker did not finish in time. 10: the batch is too large.
    let outcomes = write().2.read(answer(0, &[0, 7, 10])).unwrap();
    assert_eq!(outcomes[&at(0)].as_ref().unwrap().base_offset, 40);
    assert!(matches!(&outcomes[&at(1)], Err(Failure::InDoubt(error)) if error.code() == "broker-timed-out"));
    assert!(matches!(&outcomes[&at(2)], Err(Failure::NotApplied(error)) if error.code() == "record-too-large"));
    assert!(matches!(&outcomes[&at(3)], Err(Failure::InDoubt(error)) if error.code() == "unreadable-answer"));
}

#[test]
fn an_answer_to_another_request_is_none() {
    let (mut exchange, bytes, due) = write();
    assert_eq!(frame_length(*bytes.first_chunk().unwrap(), 1 << 20).unwrap(), bytes.len() - 4);
    assert_eq!(due.read(answer(1, &[0])).unwrap_err().code(), "bad-frame");
    let (_, greeting) = exchange.greet().unwrap();
    assert_eq!(greeting.read(answer(1, &[0])).unwrap_err().kind(), ErrorKind::Corrupt, "the number is right");
}

#[test]
fn what_a_broker_must_not_see_has_no_bytes() {
    let mut exchange = Exchange::new("loop");
    let twice = Produce::new(vec![(at(0), lawful()), (at(0), lawful())]);
    let error = exchange.produce(&twice, Duration::ZERO).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "bad-batch"), "{error}");
    let twice = FetchRequest::new(vec![FetchFrom::new(at(0), 1), FetchFrom::new(at(0), 2)]);
    assert_eq!(exchange.fetch(twice).unwrap_err().code(), "bad-request");
}

proptest::proptest! {
    #[test]
    fn no_frame_panics(bytes: Vec<u8>) {
        let frame: Bytes = [&[0; 4], &*bytes].concat().into();
        let mut exchange = Exchange::new("loop");
        let from = FetchFrom::new(at(0), 0);
        let (_, fetch) = exchange.fetch(FetchRequest::new(vec![from])).unwrap();
        let _ = (fetch.read(frame.clone()), Exchange::new("loop").greet().unwrap().1.read(frame.clone()));
        let _ = write().2.read(frame);
    }
}

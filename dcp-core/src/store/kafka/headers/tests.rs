use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::event::NewEvent;
use crate::position::{LogIncarnation, Position};

fn planned(record: Record, before: PrefixDigest) -> Planned {
    let prefix = before.then(&record.digest());
    let position = Position::from_store(LogIncarnation::from_bytes([7; 16]), prefix.count);
    Planned { position, content: record.content_digest(), record, prefix }
}

fn sold() -> NewEvent {
    let id = EventId::from_bytes([0x11; 16]);
    NewEvent::new(id, StreamId::new("85123A"), "sold", Bytes::from_static(b"6"))
        .with_header("trace", Bytes::from_static(b"a"))
        .with_header("trace", Bytes::new())
}

fn shown(record: &batch::Record) -> Vec<String> {
    let show = |bytes: &Bytes| std::str::from_utf8(bytes).map_or_else(|_| hex::encode(bytes), str::to_owned);
    record.headers.iter().map(|(name, value)| format!("{}={}", show(name), show(value.as_ref().unwrap()))).collect()
}

// The format that stays: a change of it needs a new version of the store's format.
#[test]
fn golden() {
    let record = Record::of(sold(), Epoch::new(3), Version::new(2));
    let written = to_kafka(&planned(record, PrefixDigest::EMPTY), 1_700);
    assert_eq!((written.key.as_deref(), written.timestamp), (Some(&b"85123A"[..]), 1_700));
    let expected = [
        "trace=a",
        "trace=",
        "dcp-id=11111111-1111-1111-1111-111111111111",
        "dcp-type=sold",
        "dcp-version=2",
        "dcp-epoch=3",
        "dcp-rank=1",
        "dcp-prefix=a4721bd9cc00393147ca90ed528a1f4c0f3f1a5a39a38b44937d0fd2672c2183",
    ];
    assert_eq!(shown(&written), expected);
}

#[test]
fn golden_with_a_key() {
    let record = Record::of(sold().with_key(Bytes::from_static(b"\xFF")), Epoch::NONE, Version::new(1));
    let written = to_kafka(&planned(record, PrefixDigest { count: 41, digest: Digest::of(b"41") }), -1);
    assert_eq!(written.key.as_deref(), Some(&b"\xFF"[..]));
    assert!(shown(&written).contains(&"dcp-stream=85123A".to_owned()));
    assert!(shown(&written).contains(&"dcp-rank=42".to_owned()));
}

#[test]
fn what_the_store_does_not_write_is_refused() {
    let good = to_kafka(&planned(Record::of(sold(), Epoch::NONE, Version::new(1)), PrefixDigest::EMPTY), 0);
    assert!(from_kafka(&good).unwrap().is_some());
    for at in 2..good.headers.len() {
        let mut less = good.clone();
        less.headers.remove(at);
        assert!(from_kafka(&less).is_err(), "without header {at}");
        let mut twice = good.clone();
        twice.headers.push(good.headers[at].clone());
        assert!(from_kafka(&twice).is_err(), "header {at} twice");
    }
    let mut unknown = good.clone();
    unknown.headers.push(("dcp-later".into(), Some("1".into())));
    assert!(from_kafka(&unknown).is_err());
    let bare = batch::Record { headers: good.headers[..2].to_vec(), ..good };
    assert_eq!(from_kafka(&bare).unwrap(), None);
}

#[test]
fn reserved_names_are_refused() {
    let event = sold().with_header("dcp-rank", Bytes::new());
    assert_eq!(check_names(event.id, &event.headers).unwrap_err().code(), "reserved-header");
    assert!(check_names(event.id, &sold().headers).is_ok());
}

fn some_bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..50).prop_map(Bytes::from)
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        id: [u8; 16], stream: String, event_type: String, key in option::of(some_bytes()), payload in some_bytes(),
        headers in vec(("[a-c]?\\\\PC{0,3}", some_bytes()), 0..5), epoch: u64, version: u64, count in 0..u64::MAX,
    ) {
        let mut event = NewEvent::new(EventId::from_bytes(id), StreamId::new(stream), event_type, payload);
        event.key = key;
        event.headers = headers.into_iter().filter(|(name, _)| !name.starts_with(RESERVED)).collect();
        let record = Record::of(event, Epoch::new(epoch), Version::new(version));
        let planned = planned(record.clone(), PrefixDigest { count, digest: Digest::of(b"before") });
        let read = from_kafka(&to_kafka(&planned, 0)).unwrap();
        prop_assert_eq!(read, Some(Ours { record, prefix: planned.prefix }));
    }
}

use std::borrow::Cow;
use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::*;

use super::messages::{Append, GuardRef, Open, OwnershipOf, Prefix, Read, Scan, Seal, Sightings};
use super::*;
use crate::digest::Digest;
use crate::error::InDoubt;
use crate::event::{EventId, NewEvent, Placed, Record, StreamId, Version};
use crate::fence::{Fence, FenceRank, PresentedToken};
use crate::ids::{RegionId, ResourceId, ScopeId, SliceId, SliceRef};
use crate::log::LogId;
use crate::operation::SealReceipt;
use crate::ownership::Epoch;
use crate::ports::{
    AppendAck, AppendRequest, Appended, Entry, Key, ReadFrom, Revision, Sighting, StoreIdentity, Transaction,
};
use crate::position::{Cut, LogEnd, LogIncarnation, Position, PrefixDigest};
use crate::signed::Envelope;

fn log() -> LogId {
    "orders@west/3".parse().unwrap()
}

fn slice() -> SliceRef {
    SliceRef::new(ScopeId::new("orders").unwrap(), SliceId::new("a").unwrap())
}

fn position(rank: u64) -> Position {
    Position::from_store(LogIncarnation::from_bytes([1; 16]), rank)
}

fn event(number: u8, payload: &[u8]) -> NewEvent {
    NewEvent::new(EventId::from_bytes([number; 16]), StreamId::new("s"), "t", Bytes::copy_from_slice(payload))
        .with_key(Bytes::from_static(b"k"))
        .with_header("h", Bytes::from_static(b"v"))
        .expecting(Version::new(7))
}

fn envelope() -> Envelope {
    Envelope::new("type", b"payload".to_vec(), Vec::new())
}

fn rank() -> FenceRank {
    FenceRank { epoch: Epoch::new(2), issuer: RegionId::new("west").unwrap(), revision: 9 }
}

fn guard() -> GuardRef<'static> {
    GuardRef { resource: Cow::Owned(ResourceId::new("r").unwrap()), slice: Cow::Owned(slice()) }
}

fn appended() -> Appended {
    let id = EventId::from_bytes([1; 16]);
    let (epoch, version) = (Epoch::new(2), Version::new(3));
    let ack = AppendAck { id, log: log(), position: position(300), epoch, version, existing: false };
    Appended { acks: vec![ack], prefix: PrefixDigest { count: 1, digest: Digest::ZERO } }
}

fn cut() -> Cut {
    let prefix = PrefixDigest { count: 5, digest: Digest::ZERO };
    let end = LogEnd { incarnation: LogIncarnation::from_bytes([1; 16]), last: Some(position(5)), prefix };
    Cut::from_iter([(log(), end)])
}

/// The written form of a message, after it was seen to be read back as it was.
fn written<T: Serialize + DeserializeOwned + PartialEq + Debug>(message: &T) -> String {
    let body = encode(message, 0).unwrap();
    assert_eq!(&decode::<T>(&body).unwrap(), message);
    hex::encode(body)
}

fn requests() -> Vec<(&'static str, String)> {
    let key = Key::new("k/1").unwrap();
    let transaction = Transaction::new()
        .absent(key.clone())
        .at(key.clone(), Revision::from_store(4))
        .put(key.clone(), &b"v"[..])
        .delete(key.clone());
    let scan = Scan { prefix: Cow::Borrowed("k/"), after: Some(Cow::Owned(key.clone())), limit: 1_000 };
    let request = AppendRequest::new(slice().scope, 3, Epoch::new(2), vec![event(1, b"p")]).under(envelope());
    let west = || Cow::Owned(RegionId::new("west").unwrap());
    let log = || Cow::<LogId>::Owned(log());
    let sightings =
        Sightings { scope: Cow::Owned(slice().scope), partition: 3, ids: vec![EventId::from_bytes([1; 16])].into() };
    let token = PresentedToken { grant: envelope(), binding: envelope() };
    vec![
        ("state-read", written(&key)),
        ("state-scan", written(&scan)),
        ("state-commit", written(&transaction)),
        ("events-identity", written(&())),
        ("events-ends", written(&vec![log().into_owned()])),
        ("events-fence", written(log().as_ref())),
        ("events-prefix", written(&Prefix { log: log(), count: 300 })),
        ("events-sightings", written(&sightings)),
        ("events-open", written(&Open { log: log(), from: ReadFrom::Start })),
        (
            "events-read",
            written(&Read { log: log(), from: ReadFrom::After(position(300)), limit: 1_000, wait_ms: 500 }),
        ),
        ("appends-ownership", written(&OwnershipOf { region: west(), slice: Cow::Owned(slice()) })),
        ("appends-append", written(&Append { region: west(), request: Cow::Owned(request) })),
        ("guards-fence", written(&guard())),
        ("guards-seal", written(&Seal { guard: guard(), token })),
        ("operation", written(&Bytes::from_static(b"body"))),
    ]
}

fn answers() -> Vec<(&'static str, String)> {
    let entry =
        Entry { key: Key::new("k").unwrap(), value: Bytes::from_static(b"v"), revision: Revision::from_store(4) };
    let record = Record::of(event(1, b"p"), Epoch::new(2), Version::new(3));
    let placed = Placed { position: position(300), record };
    let id = EventId::from_bytes([1; 16]);
    let (epoch, version) = (Epoch::new(2), Version::new(3));
    let sighting = Sighting { id, log: log(), position: position(300), epoch, version, content: Digest::ZERO };
    let identity = StoreIdentity { incarnation: LogIncarnation::from_bytes([1; 16]), commit_sequence: 300 };
    let receipt = SealReceipt { resource: ResourceId::new("r").unwrap(), rank: rank(), ends: cut() };
    vec![
        ("entry", written(&Answer::Ok(Some(entry.clone())))),
        ("entries", written(&Answer::Ok(vec![entry]))),
        ("revision", written(&Answer::Ok(Revision::from_store(300)))),
        ("identity", written(&Answer::Ok(identity))),
        ("cut", written(&Answer::Ok(cut()))),
        ("fence", written(&Answer::Ok(Fence::unset().raised(&rank())))),
        ("prefix", written(&Answer::Ok(Some(PrefixDigest::EMPTY)))),
        ("sightings", written(&Answer::Ok(vec![sighting]))),
        ("cursor", written(&Answer::Ok(Some(Bytes::from_static(b"c"))))),
        ("nothing", written(&Answer::Ok(()))),
        ("records", written(&Answer::Ok(vec![placed]))),
        ("envelope", written(&Answer::Ok(envelope()))),
        ("appended", written(&Answer::Ok(appended()))),
        ("receipt", written(&Answer::Ok(receipt))),
        ("not-applied", written(&Answer::<()>::Err(Failure::NotApplied(Error::fenced("stale", "m"))))),
        ("in-doubt", written(&Answer::<()>::Err(Failure::InDoubt(InDoubt::new("cut", "m"))))),
    ]
}

#[test]
fn messages_are_written_as_they_were_in_version_1() {
    let vectors = requests().into_iter().chain(answers()).map(|(name, body)| format!("{name} {body}\n"));
    let written: String = vectors.collect();
    assert_eq!(written, include_str!("golden.txt"), "another form needs another VERSION");
}

#[test]
fn an_answer_is_a_failure_whatever_was_asked_for() {
    let failure = Failure::NotApplied(Error::refused("wrong-key", "no"));
    let body = encode(&Answer::<()>::Err(failure.clone()), 0).unwrap();
    assert_eq!(decode::<Answer<Appended>>(&body).unwrap(), Err(failure.clone()));
    assert_eq!(decode::<Answer<Vec<Entry>>>(&body).unwrap(), Err(failure));
}

#[test]
fn other_versions_and_trailing_bytes_are_refused() {
    let mut body = encode(&log(), 0).unwrap().to_vec();
    body.push(0);
    assert_eq!(decode::<LogId>(&body).unwrap_err().code(), "trailing-bytes");
    body[0] = VERSION + 1;
    assert_eq!(decode::<LogId>(&body).unwrap_err().code(), "unknown-wire-version");
    assert_eq!(decode::<LogId>(&[]).unwrap_err().code(), "empty-message");
    assert_eq!(decode::<LogId>(&[VERSION]).unwrap_err().code(), "unreadable-message");
    let too_large = encode(&Bytes::from(vec![0; BODY_MAX_BYTES]), 0).unwrap_err();
    assert_eq!(too_large.code(), "message-too-large");
    assert!(encode(&Bytes::from(vec![0; OPERATION_PAYLOAD_MAX_BYTES]), 0).is_ok());
}

#[test]
fn unlawful_names_and_keys_are_not_read() {
    let empty_key = encode("", 0).unwrap();
    assert_eq!(decode::<Key>(&empty_key).unwrap_err().code(), "unreadable-message");
    let bad_log = encode("no log", 0).unwrap();
    assert_eq!(decode::<LogId>(&bad_log).unwrap_err().code(), "unreadable-message");
}

prop_compose! {
    fn any_event()(
        id in any::<[u8; 16]>(), stream in ".{0,20}", kind in ".{0,20}", key in any::<Option<Vec<u8>>>(),
        payload in vec(any::<u8>(), 0..300), headers in vec((".{0,8}", vec(any::<u8>(), 0..20)), 0..4),
        expected in any::<Option<u64>>(),
    ) -> NewEvent {
        let mut event = NewEvent::new(EventId::from_bytes(id), StreamId::new(stream), kind, payload.into());
        event.key = key.map(Bytes::from);
        event.headers = headers.into_iter().map(|(name, value)| (name, value.into())).collect();
        event.expected = expected.map(Version::new);
        event
    }
}

proptest! {
    #[test]
    fn appends_and_records_are_read_as_they_were_written(
        events in vec(any_event(), 0..20), epoch: u64, partition: u32, rank: u64,
    ) {
        let placed: Vec<_> = events.iter().cloned().map(|event| Placed {
            position: position(rank),
            record: Record::of(event, Epoch::new(epoch), Version::new(rank)),
        }).collect();
        let request = AppendRequest::new(slice().scope, partition, Epoch::new(epoch), events);
        let body = encode(&request, messages::append_capacity(&request)).unwrap();
        prop_assert!(body.len() <= messages::append_capacity(&request), "written without growing");
        prop_assert_eq!(decode::<AppendRequest>(&body).unwrap(), request);

        let body = encode(&Answer::Ok(&placed), 0).unwrap();
        prop_assert!(body.len() <= messages::SMALL + messages::records_bytes(&placed));
        prop_assert_eq!(decode::<Answer<Vec<Placed>>>(&body).unwrap().unwrap(), placed);
    }

    #[test]
    fn transactions_and_entries_are_read_as_they_were_written(
        keys in vec("[a-z/]{1,40}", 1..20), value in vec(any::<u8>(), 0..300), revision: u64,
    ) {
        let keys: Vec<_> = keys.into_iter().map(|key| Key::new(key).unwrap()).collect();
        let mut transaction = Transaction::new();
        for key in &keys {
            transaction = transaction.at(key.clone(), Revision::from_store(revision)).absent(key.clone())
                .put(key.clone(), value.clone()).delete(key.clone());
        }
        let body = encode(&transaction, 0).unwrap();
        prop_assert_eq!(decode::<Transaction>(&body).unwrap(), transaction);
        let entries: Vec<_> = keys.into_iter()
            .map(|key| Entry { key, value: value.clone().into(), revision: Revision::from_store(revision) }).collect();
        let body = encode(&Answer::Ok(&entries), 0).unwrap();
        prop_assert_eq!(decode::<Answer<Vec<Entry>>>(&body).unwrap().unwrap(), entries);
    }

    #[test]
    fn failures_are_read_as_they_were_written(message in ".{0,60}") {
        for failure in [
            Failure::NotApplied(Error::retry("a", message.clone())),
            Failure::NotApplied(Error::conflict("b", message.clone())),
            Failure::NotApplied(Error::corrupt("c", message.clone())),
            Failure::in_doubt("d", message.clone()),
        ] {
            let body = encode(&Answer::<()>::Err(failure.clone()), 0).unwrap();
            prop_assert_eq!(decode::<Answer<Appended>>(&body).unwrap().unwrap_err(), failure);
        }
    }

    #[test]
    fn garbage_is_refused_and_never_panics(mut body in vec(any::<u8>(), 0..400), versioned: bool) {
        if versioned && let Some(first) = body.first_mut() {
            *first = VERSION;
        }
        let _ = decode::<AppendRequest>(&body);
        let _ = decode::<Append<'static>>(&body);
        let _ = decode::<Transaction>(&body);
        let _ = decode::<Scan<'static>>(&body);
        let _ = decode::<Seal<'static>>(&body);
        let _ = decode::<Read<'static>>(&body);
        let _ = decode::<Sightings<'static>>(&body);
        let _ = decode::<Answer<Vec<Placed>>>(&body);
        let _ = decode::<Answer<Appended>>(&body);
        let _ = decode::<Answer<Cut>>(&body);
        let _ = decode::<Answer<SealReceipt>>(&body);
    }

    #[test]
    fn a_changed_message_is_refused_or_another_and_never_panics(
        events in vec(any_event(), 1..4), at: prop::sample::Index, bits in 1u8..,
    ) {
        let request = AppendRequest::new(slice().scope, 0, Epoch::GENESIS, events);
        let mut body = encode(&request, 0).unwrap().to_vec();
        let at = at.index(body.len());
        body[at] ^= bits;
        let cut_short = decode::<AppendRequest>(&body[..at]);
        prop_assert!(cut_short.is_err());
        if let Ok(other) = decode::<AppendRequest>(&body) {
            prop_assert_ne!(other, request);
        }
    }
}

//! What a record carries in a topic, and back. Pure.
//!
//! | Kafka | Record |
//! |---|---|
//! | key | the event's key, or else its stream |
//! | value | payload |
//! | headers | the event's, in order, then these |
//! | `dcp-id` | event id, as text |
//! | `dcp-type` | event type |
//! | `dcp-stream` | stream, where the Kafka key is the event's own key |
//! | `dcp-version`, `dcp-epoch` | decimal |
//! | `dcp-rank` | number of the record in its log, from 1, decimal |
//! | `dcp-prefix` | digest of the log up to and including the record, 32 bytes |
//!
//! Rank and digest let a fold begin anywhere, and let every reader see that nothing was cut out,
//! changed or put between.

use bytes::Bytes;

use crate::digest::Digest;
use crate::error::Error;
use crate::event::{EventId, Record, StreamId, Version};
use crate::kafka::batch;
use crate::ownership::Epoch;
use crate::position::PrefixDigest;
use crate::store::append::Planned;

/// Header names that begin like this are the store's.
pub(super) const RESERVED: &str = "dcp-";
const ID: &str = "dcp-id";
const TYPE: &str = "dcp-type";
const STREAM: &str = "dcp-stream";
const VERSION: &str = "dcp-version";
const EPOCH: &str = "dcp-epoch";
const RANK: &str = "dcp-rank";
const PREFIX: &str = "dcp-prefix";

/// A record of ours as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ours {
    pub(super) record: Record,
    pub(super) prefix: PrefixDigest,
}

/// Refuses headers whose names are the store's.
///
/// # Errors
/// `Invalid` with the name.
pub(super) fn check_names(id: EventId, headers: &[(String, Bytes)]) -> Result<(), Error> {
    match headers.iter().find(|(name, _)| name.starts_with(RESERVED)) {
        None => Ok(()),
        Some((name, _)) => Err(Error::invalid(
            "reserved-header",
            format!("event {id}: header {name:?}: names that begin with {RESERVED:?} are the store's"),
        )),
    }
}

/// A record as it is written. `timestamp` is for the topic's retention and for users' tools.
pub(super) fn to_kafka(planned: &Planned, timestamp: i64) -> batch::Record {
    let record = &planned.record;
    let text = |text: String| Some(Bytes::from(text));
    let of = |name: &'static str, value| (Bytes::from_static(name.as_bytes()), value);
    let stream = || Bytes::copy_from_slice(record.stream.as_str().as_bytes());
    let mut headers: Vec<(Bytes, Option<Bytes>)> = Vec::with_capacity(record.headers.len() + 7);
    let named = record.headers.iter();
    headers.extend(named.map(|(name, value)| (Bytes::copy_from_slice(name.as_bytes()), Some(value.clone()))));
    headers.push(of(ID, text(record.id.to_string())));
    headers.push(of(TYPE, Some(Bytes::copy_from_slice(record.event_type.as_bytes()))));
    if record.key.is_some() {
        headers.push(of(STREAM, Some(stream())));
    }
    headers.push(of(VERSION, text(record.version.to_string())));
    headers.push(of(EPOCH, text(record.epoch.to_string())));
    headers.push(of(RANK, text(planned.prefix.count.to_string())));
    headers.push(of(PREFIX, Some(Bytes::copy_from_slice(planned.prefix.digest.as_bytes()))));
    let key = record.key.clone().unwrap_or_else(stream);
    batch::Record { offset: 0, timestamp, key: Some(key), value: Some(record.payload.clone()), headers }
}

/// Whether a record carries headers of ours.
pub(super) fn is_ours(read: &batch::Record) -> bool {
    read.headers.iter().any(|(name, _)| name.starts_with(RESERVED.as_bytes()))
}

/// A record of ours; none if it carries no header of ours.
///
/// # Errors
/// `Corrupt` if it carries some and they are not what the store writes.
pub(super) fn from_kafka(read: &batch::Record) -> Result<Option<Ours>, Error> {
    if !is_ours(read) {
        return Ok(None);
    }
    ours(read).map(Some).ok_or_else(|| {
        let names: Vec<_> = read.headers.iter().map(|(name, _)| String::from_utf8_lossy(name)).collect();
        Error::corrupt("bad-headers", format!("offset {}: not what the store writes: headers {names:?}", read.offset))
    })
}

fn ours(read: &batch::Record) -> Option<Ours> {
    let mut user = Vec::with_capacity(read.headers.len().saturating_sub(6));
    let (mut id, mut event_type, mut stream, mut version, mut epoch) = (None, None, None, None, None);
    let (mut rank, mut prefix) = (None, None);
    for (name, value) in &read.headers {
        let (name, value) = (std::str::from_utf8(name).ok()?, value.as_ref()?);
        let slot = match name {
            ID => &mut id,
            TYPE => &mut event_type,
            STREAM => &mut stream,
            VERSION => &mut version,
            EPOCH => &mut epoch,
            RANK => &mut rank,
            PREFIX => &mut prefix,
            _ if name.starts_with(RESERVED) => return None,
            _ => {
                user.push((name.to_owned(), value.clone()));
                continue;
            }
        };
        // Each once.
        if slot.replace(value.clone()).is_some() {
            return None;
        }
    }
    let kafka_key = read.key.clone()?;
    let (stream, key) = match stream {
        Some(stream) => (stream, Some(kafka_key)),
        None => (kafka_key, None),
    };
    let digest = Digest::from_bytes(<[u8; 32]>::try_from(&prefix?[..]).ok()?);
    let record = Record {
        id: text(&id?)?.parse().ok()?,
        stream: StreamId::new(text(&stream)?),
        version: Version::new(number(&version?)?),
        epoch: Epoch::new(number(&epoch?)?),
        event_type: text(&event_type?)?.into(),
        key,
        payload: read.value.clone()?,
        headers: user,
    };
    Some(Ours { record, prefix: PrefixDigest { count: number(&rank?)?, digest } })
}

fn text(bytes: &Bytes) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn number(bytes: &Bytes) -> Option<u64> {
    text(bytes)?.parse().ok()
}

#[cfg(test)]
mod tests;

//! Events: what a producer hands over, and what a log holds.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Digest;
use crate::error::Error;
use crate::ownership::Epoch;
use crate::position::Position;

/// Identity of an event, chosen by its producer and kept for ever (a UUID).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId([u8; 16]);

impl EventId {
    /// Takes the 16 bytes of a UUID.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for EventId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let uuid = uuid::Uuid::try_parse(text)
            .map_err(|cause| Error::invalid("bad-event-id", format!("event id {text:?}: {cause}")))?;
        Ok(Self(uuid.into_bytes()))
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
        } else {
            Ok(Self(<[u8; 16]>::deserialize(deserializer)?))
        }
    }
}

/// One aggregate's events within a scope; exact text, compared byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(Arc<str>);

impl StreamId {
    /// Takes the exact text.
    #[must_use]
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(Arc::from(text.as_ref()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Number of an event within its stream and origin, from 1 without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(u64);

impl Version {
    /// Before the first event.
    pub const NONE: Self = Self(0);

    /// Takes a number; 0 means before the first event.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a producer hands over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NewEvent {
    /// Identity; the same id with the same content is appended once per scope and partition.
    pub id: EventId,
    /// The aggregate.
    pub stream: StreamId,
    /// Name of the kind of event.
    pub event_type: Arc<str>,
    /// Record key, where the store has one beside the stream.
    pub key: Option<Bytes>,
    /// Content, opaque here.
    pub payload: Bytes,
    /// Header names and values, in order; names may repeat.
    pub headers: Vec<(String, Bytes)>,
    /// The stream's version before this event in the writer's own log; none: whatever it is.
    pub expected: Option<Version>,
}

impl NewEvent {
    /// An event without key, headers and expected version.
    #[must_use]
    pub fn new(id: EventId, stream: StreamId, event_type: impl Into<Arc<str>>, payload: Bytes) -> Self {
        Self { id, stream, event_type: event_type.into(), key: None, payload, headers: Vec::new(), expected: None }
    }

    /// With a record key.
    #[must_use]
    pub fn with_key(mut self, key: Bytes) -> Self {
        self.key = Some(key);
        self
    }

    /// With one more header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: Bytes) -> Self {
        self.headers.push((name.into(), value));
        self
    }

    /// Only if the stream is at this version in the writer's own log.
    #[must_use]
    pub fn expecting(mut self, version: Version) -> Self {
        self.expected = Some(version);
        self
    }

    /// Digest over type, stream, key, payload and headers: what makes two events the same content.
    #[must_use]
    pub fn content_digest(&self) -> Digest {
        content_digest(&self.event_type, &self.stream, self.key.as_ref(), &self.payload, &self.headers)
    }
}

/// One event as a log holds it, without its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Record {
    /// Identity.
    pub id: EventId,
    /// The aggregate.
    pub stream: StreamId,
    /// Number within `(origin, stream)`.
    pub version: Version,
    /// Ownership epoch under which the origin appended it.
    pub epoch: Epoch,
    /// Name of the kind of event.
    pub event_type: Arc<str>,
    /// Record key.
    pub key: Option<Bytes>,
    /// Content.
    pub payload: Bytes,
    /// Header names and values, in order.
    pub headers: Vec<(String, Bytes)>,
}

impl Record {
    /// For implementers of a store: the record that an accepted event becomes.
    #[must_use]
    pub fn of(event: NewEvent, epoch: Epoch, version: Version) -> Self {
        let NewEvent { id, stream, event_type, key, payload, headers, expected: _ } = event;
        Self { id, stream, version, epoch, event_type, key, payload, headers }
    }

    /// Digest over type, stream, key, payload and headers (not epoch, version, position or time).
    #[must_use]
    pub fn content_digest(&self) -> Digest {
        content_digest(&self.event_type, &self.stream, self.key.as_ref(), &self.payload, &self.headers)
    }

    /// Digest of the whole record, as parity chains it: id, epoch, version and content.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_parts(&[
            self.id.as_bytes(),
            &self.epoch.get().to_be_bytes(),
            &self.version.get().to_be_bytes(),
            self.content_digest().as_bytes(),
        ])
    }
}

/// A record with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Placed {
    /// Where it stands in the log that was read.
    pub position: Position,
    /// The record.
    pub record: Record,
}

fn content_digest(
    event_type: &str,
    stream: &StreamId,
    key: Option<&Bytes>,
    payload: &Bytes,
    headers: &[(String, Bytes)],
) -> Digest {
    let key_present = [u8::from(key.is_some())];
    let fixed = [
        event_type.as_bytes(),
        stream.as_str().as_bytes(),
        &key_present,
        key.map_or(&[][..], |key| key.as_ref()),
        payload.as_ref(),
    ];
    let headers = headers.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_ref()]);
    Digest::of_fields(fixed.into_iter().chain(headers))
}

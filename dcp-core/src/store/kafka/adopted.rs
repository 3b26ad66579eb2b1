//! Records that others put into a topic: they carry no header of the store's. Pure.
//!
//! | Record | From |
//! |---|---|
//! | id | digest of topic id, partition and offset: the same at each reading, another in another topic |
//! | stream | the key, where it is text of a stream's length; else a digest of it, or one name for all without a key |
//! | version | counted by whoever reads |
//! | epoch | none |
//! | type | `kafka.record`, or `kafka.tombstone` where there is no value |
//! | key, payload, headers | as they are; a header without a value has an empty one |

use bytes::Bytes;

use crate::digest::Digest;
use crate::error::Error;
use crate::event::{EventId, Record, StreamId, Version};
use crate::kafka::batch;
use crate::ownership::Epoch;
use crate::ports::event_store::STREAM_MAX_BYTES;
use crate::position::LogIncarnation;

const RECORD: &str = "kafka.record";
const TOMBSTONE: &str = "kafka.tombstone";
const WITHOUT_KEY: &str = "kafka.without-key";

/// The stream of a record with this key.
pub(super) fn stream(key: Option<&Bytes>) -> StreamId {
    let Some(key) = key else { return StreamId::new(WITHOUT_KEY) };
    match std::str::from_utf8(key) {
        Ok(text) if key.len() <= STREAM_MAX_BYTES => StreamId::new(text),
        _ => StreamId::new(format!("kafka.key.{}", Digest::of(key))),
    }
}

/// The record that somebody else's becomes.
///
/// # Errors
/// `Corrupt` for a header name that is not text.
pub(super) fn record(
    topic: LogIncarnation,
    partition: u32,
    read: &batch::Record,
    version: Version,
) -> Result<Record, Error> {
    let place = [&topic.as_bytes()[..], &partition.to_be_bytes(), &read.offset.to_be_bytes()];
    let digest = Digest::of_parts(&place);
    let mut id = [0; 16];
    id.copy_from_slice(&digest.as_bytes()[..16]);
    let mut headers = Vec::with_capacity(read.headers.len());
    for (name, value) in &read.headers {
        let name = std::str::from_utf8(name).map_err(|cause| {
            Error::corrupt("bad-headers", format!("offset {}: a header's name is not text: {cause}", read.offset))
        })?;
        headers.push((name.to_owned(), value.clone().unwrap_or_default()));
    }
    Ok(Record {
        id: EventId::from_bytes(id),
        stream: stream(read.key.as_ref()),
        version,
        epoch: Epoch::NONE,
        event_type: if read.value.is_some() { RECORD } else { TOMBSTONE }.into(),
        key: read.key.clone(),
        payload: read.value.clone().unwrap_or_default(),
        headers,
    })
}

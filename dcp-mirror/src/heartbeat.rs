//! Heartbeats: a region's own statement of how far its logs have got.

mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use dcp_core::Error;
use dcp_core::digest::Digest;
use dcp_core::event::{EventId, NewEvent, Record, StreamId, Version};
use dcp_core::log::LogId;
use dcp_core::position::PrefixDigest;
use serde::{Deserialize, Serialize};

pub use writer::HeartbeatWriter;

/// Event type of a heartbeat.
pub const EVENT_TYPE: &str = "dcp.heartbeat";
/// The one stream of a companion log.
pub const STREAM: &str = "heartbeat";

/// One heartbeat of one scope, as its companion log holds it (JSON).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Heartbeat {
    /// From 1 without gaps: the version of its record.
    pub sequence: u64,
    /// Drawn for this heartbeat, so that no other run of the region writes one like it: a store that
    /// was restored to an earlier moment never comes to hold the same companion log again.
    pub mark: Digest,
    /// The end of each log whose slice the region owns. A log that is not named is not written by
    /// this region now: it does not lag.
    pub ends: BTreeMap<LogId, PrefixDigest>,
}

impl Heartbeat {
    /// The event to append to the companion log, with an id that follows from log and sequence.
    ///
    /// # Errors
    /// `Invalid` if it cannot be written as JSON.
    pub fn to_event(&self, companion: &LogId) -> Result<NewEvent, Error> {
        let payload = serde_json::to_vec(self)
            .map_err(|cause| Error::invalid("bad-heartbeat", format!("{companion}: {cause}")))?;
        let id = event_id(companion, self.sequence);
        let event = NewEvent::new(id, StreamId::new(STREAM), Arc::<str>::from(EVENT_TYPE), Bytes::from(payload));
        Ok(event.expecting(Version::new(self.sequence.saturating_sub(1))))
    }

    /// Reads the record of a companion log.
    ///
    /// # Errors
    /// `Invalid` with what is wrong: type, stream, JSON, or a sequence that is not the version.
    pub fn of_record(record: &Record) -> Result<Self, Error> {
        let bad = |what: String| Error::invalid("bad-heartbeat", what);
        if &*record.event_type != EVENT_TYPE || record.stream.as_str() != STREAM {
            return Err(bad(format!("event type {:?} in stream {:?}", record.event_type, record.stream.as_str())));
        }
        let heartbeat: Self = serde_json::from_slice(&record.payload).map_err(|cause| bad(cause.to_string()))?;
        if heartbeat.sequence != record.version.get() {
            return Err(bad(format!("sequence {} at version {}", heartbeat.sequence, record.version)));
        }
        Ok(heartbeat)
    }
}

fn event_id(companion: &LogId, sequence: u64) -> EventId {
    let log = companion.to_string();
    let digest = Digest::of_fields([EVENT_TYPE.as_bytes(), log.as_bytes(), &sequence.to_be_bytes()]);
    let mut id = [0; 16];
    id.copy_from_slice(&digest.as_bytes()[..16]);
    // A UUID of version 8 (made from own data) and the standard variant.
    id[6] = (id[6] & 0x0f) | 0x80;
    id[8] = (id[8] & 0x3f) | 0x80;
    EventId::from_bytes(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dcp_core::ownership::Epoch;

    fn heartbeat() -> (LogId, Heartbeat) {
        let log: LogId = "orders@west/3".parse().unwrap();
        let companion = LogId::heartbeats(log.scope(), log.origin()).unwrap();
        let end = PrefixDigest { count: 7, digest: Digest::of(b"seven") };
        (companion, Heartbeat { sequence: 2, mark: Digest::of(b"mark"), ends: BTreeMap::from([(log, end)]) })
    }

    #[test]
    fn golden_vector() {
        let (companion, heartbeat) = heartbeat();
        let event = heartbeat.to_event(&companion).unwrap();
        assert_eq!(
            std::str::from_utf8(&event.payload).unwrap(),
            format!(
                r#"{{"sequence":2,"mark":"{}","ends":{{"orders@west/3":{{"count":7,"digest":"{}"}}}}}}"#,
                Digest::of(b"mark"),
                Digest::of(b"seven")
            )
        );
        assert_eq!(event.id.to_string(), "523714a0-f0ef-8d4c-aad1-42b5ce534b41");
        assert_eq!(event.expected, Some(Version::new(1)));
        let record = Record::of(event, Epoch::NONE, Version::new(2));
        assert_eq!(Heartbeat::of_record(&record).unwrap(), heartbeat);
    }

    #[test]
    fn what_is_not_a_heartbeat_is_refused() {
        let (companion, heartbeat) = heartbeat();
        let good = Record::of(heartbeat.to_event(&companion).unwrap(), Epoch::NONE, Version::new(2));
        let mut other_version = good.clone();
        other_version.version = Version::new(3);
        let mut other_type = good.clone();
        other_type.event_type = Arc::from("order");
        let mut cut_short = good.clone();
        cut_short.payload = good.payload.slice(..10);
        for bad in [other_version, other_type, cut_short] {
            assert_eq!(Heartbeat::of_record(&bad).unwrap_err().code(), "bad-heartbeat");
        }
    }
}

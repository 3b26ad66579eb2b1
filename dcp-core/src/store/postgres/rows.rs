//! What rows hold, as values, and back.

use bytes::Bytes;
use tokio_postgres::Row;
use uuid::Uuid;

use super::fault::damaged;
use crate::digest::Digest;
use crate::error::Error;
use crate::event::{EventId, Placed, Record, StreamId, Version};
use crate::fence::Fence;
use crate::ids::{RegionId, ScopeId};
use crate::log::LogId;
use crate::ownership::Epoch;
use crate::ports::event_store::Sighting;
use crate::position::{LogEnd, LogIncarnation, Position, PrefixDigest};
use crate::store::admission::RoleKind;

/// One log's row.
#[derive(Debug, Clone)]
pub(super) struct LogRow {
    pub(super) number: i32,
    pub(super) log: LogId,
    pub(super) prefix: PrefixDigest,
    pub(super) fence: Fence,
    /// As it is stored.
    pub(super) fence_text: String,
    pub(super) sessions: [Option<Uuid>; 3],
}

/// A role's number in a statement, and its place in a row.
pub(super) fn role_number(kind: RoleKind) -> i32 {
    match kind {
        RoleKind::Owner => 0,
        RoleKind::Mirror => 1,
        RoleKind::Companion => 2,
    }
}

impl LogRow {
    pub(super) fn read(row: &Row) -> Result<Self, Error> {
        let partition: i64 = row.get(3);
        let partition = u32::try_from(partition).map_err(|_| damaged(format!("partition {partition}")))?;
        let log = LogId::new(ScopeId::new(row.get::<_, &str>(1))?, RegionId::new(row.get::<_, &str>(2))?, partition);
        let prefix = PrefixDigest { count: unsigned(row.get(4), &log)?, digest: digest(row.get(5), &log)? };
        let fence_text: String = row.get(6);
        let fence = serde_json::from_str(&fence_text).map_err(|cause| damaged(format!("fence of {log}: {cause}")))?;
        let sessions = [row.get(7), row.get(8), row.get(9)];
        Ok(Self { number: row.get(0), log, prefix, fence, fence_text, sessions })
    }

    pub(super) fn session(&self, kind: RoleKind) -> Option<Uuid> {
        match kind {
            RoleKind::Owner => self.sessions[0],
            RoleKind::Mirror => self.sessions[1],
            RoleKind::Companion => self.sessions[2],
        }
    }

    pub(super) fn end(&self, incarnation: LogIncarnation) -> LogEnd {
        end_of(incarnation, self.prefix)
    }
}

/// The end of a log with this prefix.
pub(super) fn end_of(incarnation: LogIncarnation, prefix: PrefixDigest) -> LogEnd {
    let last = (prefix.count > 0).then(|| Position::from_store(incarnation, prefix.count));
    LogEnd { incarnation, last, prefix }
}

/// A fence as it is stored: JSON, which operators can read.
pub(super) fn fence_text(fence: &Fence) -> Result<String, Error> {
    serde_json::to_string(fence).map_err(|cause| Error::invalid("unwritable-fence", cause.to_string()))
}

/// A count or number as the server's signed type; those that a log can reach fit.
pub(super) fn signed(number: u64) -> Result<i64, Error> {
    i64::try_from(number).map_err(|_| Error::invalid("number-too-large", format!("{number}: at most {}", i64::MAX)))
}

pub(super) fn unsigned(number: i64, place: &impl std::fmt::Display) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| damaged(format!("{place}: {number} is negative")))
}

pub(super) fn digest(bytes: &[u8], place: &impl std::fmt::Display) -> Result<Digest, Error> {
    let bytes =
        <[u8; 32]>::try_from(bytes).map_err(|_| damaged(format!("{place}: a digest of {} bytes", bytes.len())))?;
    Ok(Digest::from_bytes(bytes))
}

pub(super) fn uuid(id: &EventId) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

/// Header names and values as they are stored.
pub(super) fn header_bytes(headers: &[(String, Bytes)]) -> Result<Vec<u8>, Error> {
    postcard::to_stdvec(headers).map_err(|cause| Error::invalid("unwritable-headers", cause.to_string()))
}

pub(super) fn sighting(row: &Row, log: &LogId, incarnation: LogIncarnation) -> Result<Sighting, Error> {
    Ok(Sighting {
        id: EventId::from_bytes(row.get::<_, Uuid>(2).into_bytes()),
        log: log.clone(),
        position: Position::from_store(incarnation, unsigned(row.get(1), log)?),
        epoch: Epoch::new(unsigned(row.get(3), log)?),
        version: Version::new(unsigned(row.get(4), log)?),
        content: digest(row.get(5), log)?,
    })
}

/// Where a record that was read has the log's digest up to it.
pub(super) const PREFIX_READ: usize = 9;

pub(super) fn placed(row: &Row, log: &LogId, incarnation: LogIncarnation) -> Result<Placed, Error> {
    let rank = unsigned(row.get(0), log)?;
    let place = format!("{log} at {rank}");
    let text = |bytes: &[u8]| {
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|cause| damaged(format!("{place}: {cause}")))
    };
    let stored: &[u8] = row.get(8);
    let headers = postcard::from_bytes(stored).map_err(|cause| damaged(format!("{place}: headers: {cause}")))?;
    let record = Record {
        id: EventId::from_bytes(row.get::<_, Uuid>(1).into_bytes()),
        stream: StreamId::new(text(row.get(2))?),
        version: Version::new(unsigned(row.get(3), &place)?),
        epoch: Epoch::new(unsigned(row.get(4), &place)?),
        event_type: text(row.get(5))?.into(),
        key: row.get::<_, Option<&[u8]>>(6).map(Bytes::copy_from_slice),
        payload: Bytes::copy_from_slice(row.get(7)),
        headers,
    };
    Ok(Placed { position: Position::from_store(incarnation, rank), record })
}

//! What the store itself keeps, as keys and values of a compacted topic: its identity, a fence for each
//! log, the cursors. Pure.
//!
//! | Key | Value |
//! |---|---|
//! | `store` | [`Identity`], as JSON |
//! | `fence/orders@west/0` | the highest grant seen, as JSON |
//! | `holder/owner/orders@west/0` | number of the session that may write the log in this role |
//! | `cursor/NAME` | the caller's bytes |
//!
//! Keys that are not known are kept and left alone.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::page::Page;
use crate::digest::Digest;
use crate::error::Error;
use crate::fence::Fence;
use crate::ids::{CursorName, RegionId};
use crate::kafka::batch::Record;
use crate::log::LogId;
use crate::position::LogIncarnation;
use crate::store::admission::RoleKind;

/// Version of what is written here and in headers.
pub(super) const FORMAT: u32 = 1;
/// Key of the store's own record.
pub(super) const STORE: &str = "store";

/// What a store is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) format: u32,
    pub(super) region: RegionId,
    /// Hexadecimal.
    pub(super) incarnation: String,
    /// Partitions of the state topic: a key's place follows from it.
    pub(super) partitions: i32,
}

impl Identity {
    /// What the store's record says.
    ///
    /// # Errors
    /// `Refused` for a newer format, `Invalid` for another region's store or another partition count,
    /// `Corrupt` for what cannot be read.
    pub(super) fn read(value: &Bytes, region: &RegionId, partitions: i32) -> Result<LogIncarnation, Error> {
        let damaged = |cause: &dyn std::fmt::Display| {
            Error::corrupt("store-contradicts-itself", format!("the store's own record: {cause}: keep the data"))
        };
        // The format first: what follows it may be of a later time.
        let any: serde_json::Value = serde_json::from_slice(value).map_err(|cause| damaged(&cause))?;
        let format = any.get("format").and_then(serde_json::Value::as_u64).ok_or_else(|| damaged(&"no format"))?;
        if format > u64::from(FORMAT) {
            let message = format!("the store has format {format}, this code knows up to {FORMAT}; update the service");
            return Err(Error::refused("newer-format", message));
        }
        let held: Self = serde_json::from_value(any).map_err(|cause| damaged(&cause))?;
        if held.region != *region {
            let message = format!("this is the store of {}, not of {region}; give each its own namespace", held.region);
            return Err(Error::invalid("other-region", message));
        }
        if held.partitions != partitions {
            let message = format!(
                "the state topic has {partitions} partitions, the store was made with {}: keys would be looked for in \
                 other partitions",
                held.partitions
            );
            return Err(Error::invalid("other-partition-count", message));
        }
        let mut incarnation = [0; 16];
        hex::decode_to_slice(&held.incarnation, &mut incarnation).map_err(|cause| damaged(&cause))?;
        Ok(LogIncarnation::from_bytes(incarnation))
    }

    pub(super) fn write(&self) -> Result<Bytes, Error> {
        json(self)
    }
}

pub(super) fn fence_key(log: &LogId) -> String {
    format!("fence/{log}")
}

pub(super) fn holder_key(log: &LogId, kind: RoleKind) -> String {
    format!("holder/{}/{log}", kind.name())
}

pub(super) fn cursor_key(name: &CursorName) -> String {
    format!("cursor/{name}")
}

pub(super) fn fence_value(fence: &Fence) -> Result<Bytes, Error> {
    json(fence)
}

pub(super) fn read_fence(log: &LogId, value: Option<&Bytes>) -> Result<Fence, Error> {
    let Some(value) = value else { return Ok(Fence::unset()) };
    serde_json::from_slice(value)
        .map_err(|cause| Error::corrupt("store-contradicts-itself", format!("fence of {log}: {cause}: keep it closed")))
}

fn json(value: &impl Serialize) -> Result<Bytes, Error> {
    let text = serde_json::to_vec(value);
    text.map(Into::into).map_err(|cause| Error::invalid("unwritable-state", cause.to_string()))
}

/// The partition of a key. It never changes for a key while the count does not.
pub(super) fn partition_of(key: &str, partitions: i32) -> i32 {
    let mut first = [0; 4];
    first.copy_from_slice(&Digest::of(key.as_bytes()).as_bytes()[..4]);
    let partitions = u32::try_from(partitions.max(1)).unwrap_or(1);
    i32::try_from(u32::from_be_bytes(first) % partitions).unwrap_or(0)
}

/// A record of the state topic.
pub(super) fn record(key: &str, value: Bytes, timestamp: i64) -> Record {
    let key = Some(Bytes::copy_from_slice(key.as_bytes()));
    Record { offset: 0, timestamp, key, value: Some(value), headers: Vec::new() }
}

/// One partition of the state topic, as far as it was folded.
#[derive(Debug, Default)]
pub(super) struct Folded {
    next: i64,
    values: BTreeMap<Bytes, Bytes>,
}

impl Folded {
    pub(super) fn next(&self) -> i64 {
        self.next
    }

    pub(super) fn get(&self, key: &str) -> Option<&Bytes> {
        self.values.get(key.as_bytes())
    }

    pub(super) fn fold(&mut self, page: Page) {
        for record in page.records.into_iter().filter(|record| record.offset >= self.next) {
            let Some(key) = record.key else { continue };
            match record.value {
                // Copied out of the fetch's buffer, which is larger.
                Some(value) => self.values.insert(Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&value)),
                None => self.values.remove(&key),
            };
        }
        self.next = self.next.max(page.next);
    }
}

#[cfg(test)]
mod tests;

//! The messages and where they are sent. Each is written from borrowed parts and read as owned ones.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::event::{EventId, NewEvent, Placed, Record};
use crate::fence::PresentedToken;
use crate::ids::{RegionId, ResourceId, ScopeId, SliceRef};
use crate::log::LogId;
use crate::ports::{AppendRequest, Key, ReadFrom, Transaction, Write};

/// Paths; the first part is the version of the set of paths.
pub(in crate::remote) mod paths {
    pub(in crate::remote) const STATE_READ: &str = "/v1/state/read";
    pub(in crate::remote) const STATE_SCAN: &str = "/v1/state/scan";
    pub(in crate::remote) const STATE_COMMIT: &str = "/v1/state/commit";
    pub(in crate::remote) const EVENTS_IDENTITY: &str = "/v1/events/identity";
    pub(in crate::remote) const EVENTS_ENDS: &str = "/v1/events/ends";
    pub(in crate::remote) const EVENTS_LOGS: &str = "/v1/events/logs";
    pub(in crate::remote) const EVENTS_FENCE: &str = "/v1/events/fence";
    pub(in crate::remote) const EVENTS_PREFIX: &str = "/v1/events/prefix";
    pub(in crate::remote) const EVENTS_SIGHTINGS: &str = "/v1/events/sightings";
    pub(in crate::remote) const EVENTS_CURSOR: &str = "/v1/events/cursor";
    pub(in crate::remote) const EVENTS_OPEN: &str = "/v1/events/open";
    pub(in crate::remote) const EVENTS_READ: &str = "/v1/events/read";
    pub(in crate::remote) const APPENDS_OWNERSHIP: &str = "/v1/appends/ownership";
    pub(in crate::remote) const APPENDS_APPEND: &str = "/v1/appends/append";
    pub(in crate::remote) const GUARDS_FENCE: &str = "/v1/guards/fence";
    pub(in crate::remote) const GUARDS_SEAL: &str = "/v1/guards/seal";
    pub(in crate::remote) const OPERATIONS: &str = "/v1/operations/";
}

/// `StateStore::scan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::remote) struct Scan<'a> {
    pub(in crate::remote) prefix: Cow<'a, str>,
    pub(in crate::remote) after: Option<Cow<'a, Key>>,
    pub(in crate::remote) limit: u64,
}

/// `EventSource::prefix`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::remote) struct Prefix<'a> {
    pub(in crate::remote) log: Cow<'a, LogId>,
    pub(in crate::remote) count: u64,
}

/// `EventSource::sightings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::remote) struct Sightings<'a> {
    pub(in crate::remote) scope: Cow<'a, ScopeId>,
    pub(in crate::remote) partition: u32,
    pub(in crate::remote) ids: Cow<'a, [EventId]>,
}

/// `EventSource::open_reader`: checks the place only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::remote) struct Open<'a> {
    pub(in crate::remote) log: Cow<'a, LogId>,
    pub(in crate::remote) from: ReadFrom,
}

/// `EventReader::next`, with the place that the reader has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::remote) struct Read<'a> {
    pub(in crate::remote) log: Cow<'a, LogId>,
    pub(in crate::remote) from: ReadFrom,
    pub(in crate::remote) limit: u64,
    pub(in crate::remote) wait_ms: u64,
}

/// `Appends::ownership`; the region that the client believes to speak to is checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::remote) struct OwnershipOf<'a> {
    pub(in crate::remote) region: Cow<'a, RegionId>,
    pub(in crate::remote) slice: Cow<'a, SliceRef>,
}

/// `Appends::append`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::remote) struct Append<'a> {
    pub(in crate::remote) region: Cow<'a, RegionId>,
    pub(in crate::remote) request: Cow<'a, AppendRequest>,
}

/// Which guard is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::remote) struct GuardRef<'a> {
    pub(in crate::remote) resource: Cow<'a, ResourceId>,
    pub(in crate::remote) slice: Cow<'a, SliceRef>,
}

/// `Sealable::seal`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::remote) struct Seal<'a> {
    pub(in crate::remote) guard: GuardRef<'a>,
    pub(in crate::remote) token: PresentedToken,
}

/// Bytes of a message's fixed parts: more than any of them takes.
pub(in crate::remote) const SMALL: usize = 512;

/// About how many bytes a list of ids takes.
pub(in crate::remote) fn ids_capacity(ids: &[EventId]) -> usize {
    SMALL + ids.len() * 16
}

/// About how many bytes a transaction takes.
pub(in crate::remote) fn transaction_capacity(transaction: &Transaction) -> usize {
    let written = transaction.writes.iter().map(|write| match write {
        Write::Put(key, value) => key.as_str().len() + value.len() + 16,
        Write::Delete(key) => key.as_str().len() + 8,
    });
    SMALL + written.sum::<usize>() + transaction.conditions.len() * 64
}

/// About how many bytes an append takes.
pub(in crate::remote) fn append_capacity(request: &AppendRequest) -> usize {
    SMALL
        + request.grant.as_ref().map_or(0, |grant| grant.payload().len() * 2 + SMALL)
        + request.events.iter().map(event_bytes).sum::<usize>()
}

fn event_bytes(event: &NewEvent) -> usize {
    let key = event.key.as_ref().map_or(0, Bytes::len);
    64 + event.stream.as_str().len() + event.event_type.len() + key + event.payload.len() + header_bytes(&event.headers)
}

/// About how many bytes records take.
pub(in crate::remote) fn records_bytes(records: &[Placed]) -> usize {
    records.iter().map(|placed| record_bytes(&placed.record)).sum()
}

/// About how many bytes a record takes, never less than it does.
pub(in crate::remote) fn record_bytes(record: &Record) -> usize {
    let key = record.key.as_ref().map_or(0, Bytes::len);
    96 + record.stream.as_str().len()
        + record.event_type.len()
        + key
        + record.payload.len()
        + header_bytes(&record.headers)
}

fn header_bytes(headers: &[(String, Bytes)]) -> usize {
    headers.iter().map(|(name, value)| 20 + name.len() + value.len()).sum()
}

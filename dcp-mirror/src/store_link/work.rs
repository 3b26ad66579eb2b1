//! The worker's own view of the mirror: how far each log is, and where to go on.

use std::collections::BTreeMap;
use std::time::Duration;

use dcp_core::Error;
use dcp_core::ids::CursorName;
use dcp_core::log::LogId;
use dcp_core::ports::{EventReader, EventSource, EventStore, ReadFrom};
use dcp_core::position::{Position, PrefixDigest};

use super::StoreLink;
use crate::cursor::{SourceCursor, cursor_name};
use crate::heartbeat::Heartbeat;

/// One log of the worker.
#[derive(Debug)]
pub(super) struct LogWork {
    pub(super) name: CursorName,
    /// The mirror's prefix; the next batch follows it.
    pub(super) applied: PrefixDigest,
    /// Last record of the local copy.
    pub(super) local_last: Option<Position>,
    /// The cursor that was committed with it, if it is the link's own and agrees with the mirror.
    pub(super) cursor: Option<SourceCursor>,
    /// An open reader that stands after the last copied record.
    pub(super) reader: Option<Box<dyn EventReader>>,
    /// Whether the prefix was compared since the link connected or was set going.
    pub(super) checked: bool,
    /// Mean size of the records of the last batch; bounds the next by bytes.
    pub(super) mean_bytes: usize,
}

/// Opens a reader after the last copied record: by the cursor, or, without one, by reading the
/// source from its start past as many records as the mirror holds.
pub(super) async fn open_after(
    source: &dyn EventSource,
    log: &LogId,
    cursor: Option<SourceCursor>,
    held: u64,
) -> Result<Box<dyn EventReader>, Error> {
    if let Some(cursor) = cursor {
        return source.open_reader(log, ReadFrom::After(cursor.position)).await;
    }
    let mut reader = source.open_reader(log, ReadFrom::Start).await?;
    let mut left = held;
    while left > 0 {
        let limit = usize::try_from(left.min(1_000)).unwrap_or(1_000);
        let skipped = reader.next(limit, Duration::ZERO).await?.len() as u64;
        if skipped == 0 {
            return Err(Error::retry("source-short", format!("{log}: {left} records of the mirror were not found")));
        }
        left -= skipped;
    }
    Ok(reader)
}

/// Reads where the mirror of each of these logs stands.
pub(super) async fn load(link: &StoreLink, logs: &[LogId]) -> Result<BTreeMap<LogId, LogWork>, Error> {
    let local = &link.ports.local;
    let ends = local.ends(logs).await?;
    let mut works = BTreeMap::new();
    for log in logs {
        let missing = || Error::corrupt("missing-end", format!("{log}: the local store did not answer its end"));
        let end = ends.get(log).ok_or_else(missing)?;
        let name = cursor_name(&link.settings.id, log)?;
        let stored = match end.prefix.count {
            0 => None,
            _ => local.cursor(&name).await?,
        };
        let cursor = stored.map(|value| SourceCursor::decode(&name, &value)).transpose()?;
        let cursor = cursor.filter(|cursor| cursor.count == end.prefix.count);
        let work = LogWork {
            name,
            applied: end.prefix,
            local_last: end.last,
            cursor,
            reader: None,
            checked: false,
            mean_bytes: 0,
        };
        works.insert(log.clone(), work);
    }
    Ok(works)
}

/// The newest heartbeat of a local companion log, read from its last batch.
pub(super) async fn newest_heartbeat(
    local: &dyn EventStore,
    log: &LogId,
    cursor: Option<SourceCursor>,
    last: Option<Position>,
) -> Result<Option<Heartbeat>, Error> {
    let from = cursor.and_then(|cursor| cursor.local_before).map_or(ReadFrom::Start, ReadFrom::After);
    let mut reader = local.open_reader(log, from).await?;
    let mut newest = None;
    loop {
        let records = reader.next(1_000, Duration::ZERO).await?;
        let Some(read) = records.last() else { return Ok(newest) };
        newest = Heartbeat::of_record(&read.record).ok();
        if Some(read.position) == last {
            return Ok(newest);
        }
    }
}

//! The sentence that an operator reads when a projection has stopped.

use std::time::Duration;

use dcp_core::Error;
use dcp_core::event::Placed;
use dcp_core::log::LogId;
use dcp_core::ports::ReadFrom;

use super::engine::Parts;
use super::seat::Seat;
use crate::delivery::{Evidence, Place};
use crate::projection::Applied;

/// Records read at once while looking for the event that was applied.
const SEARCH_LIMIT: usize = 2_000;

/// Describes a conflict. Where the index did not show what is contradicted, the log is searched for
/// the record that was applied under the same version: this happens once in the life of a stop.
pub(super) async fn reason(
    parts: Parts<'_>,
    seat: &Seat,
    number: usize,
    mut evidence: Evidence,
) -> Result<String, Error> {
    if evidence.held.is_none() && evidence.arrived.version <= evidence.mark {
        let applied = seat.positions[number].map_or(0, |applied| applied.count);
        evidence.held = find_version(parts, &parts.logs.ids[number], applied, &evidence).await?;
    }
    Ok(format!(
        "{evidence}. Nothing after it was applied to projection {id}. Find out which of the two is right before \
         letting it go on: resuming tries the same event again and skips nothing",
        id = seat.id
    ))
}

async fn find_version(
    parts: Parts<'_>,
    log: &LogId,
    applied: u64,
    evidence: &Evidence,
) -> Result<Option<Place>, Error> {
    let mut reader = parts.source.open_reader(log, ReadFrom::Start).await?;
    let mut left = applied;
    while left > 0 {
        let limit = usize::try_from(left).unwrap_or(SEARCH_LIMIT).min(SEARCH_LIMIT);
        let records = reader.next(limit, Duration::ZERO).await?;
        if records.is_empty() {
            return Ok(None);
        }
        left = left.saturating_sub(u64::try_from(records.len()).unwrap_or(left));
        let found = |placed: &&Placed| {
            placed.record.stream == evidence.stream && placed.record.version == evidence.arrived.version
        };
        if let Some(Placed { position, record }) = records.iter().find(found) {
            return Ok(Some(Place::of(&Applied { log, position: *position, record })));
        }
    }
    Ok(None)
}

/// Describes an event that the projection itself refused.
pub(super) fn unfoldable(event: &Applied<'_>, error: &Error) -> String {
    let place = Place::of(event);
    format!("the projection could not apply {place} of stream {:?}: {error}", event.record.stream.as_str())
}

//! How far a projection has got in one log, and whether the log still holds that.

use dcp_core::Error;
use dcp_core::log::LogId;
use dcp_core::position::{LogEnd, LogIncarnation, Position};
use serde::{Deserialize, Serialize};

/// How far one log has been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub(crate) struct AppliedPosition {
    /// Incarnation of the log.
    pub incarnation: LogIncarnation,
    /// Rank of the last applied record's position in it.
    pub rank: u64,
    /// Records of the log applied.
    pub count: u64,
}

impl AppliedPosition {
    /// The position of the last applied record.
    #[must_use]
    pub(crate) fn position(&self) -> Position {
        Position::from_store(self.incarnation, self.rank)
    }

    /// One record further, at `position`; the same if that is not beyond.
    #[must_use]
    pub(crate) fn advanced(applied: Option<Self>, position: Position) -> Self {
        let next = |count| Self { incarnation: position.incarnation(), rank: position.rank(), count };
        match applied {
            None => next(1),
            Some(applied) if applied.incarnation == position.incarnation() && position.rank() <= applied.rank => {
                applied
            }
            Some(applied) => next(applied.count + 1),
        }
    }
}

/// How many records of a log are not applied yet.
///
/// # Errors
/// `Corrupt`, with a repair plan, if the log no longer holds what was applied: it is of another
/// incarnation or ends before the position. Never answered as "no lag".
pub(crate) fn lag(log: &LogId, applied: Option<&AppliedPosition>, end: &LogEnd) -> Result<u64, Error> {
    let Some(applied) = applied else { return Ok(end.prefix.count) };
    if applied.incarnation != end.incarnation {
        return Err(Error::corrupt(
            "checkpoint-of-other-incarnation",
            format!(
                "{log}: {} records were applied from incarnation {}, and the store now holds incarnation {} with {}. {}",
                applied.count, applied.incarnation, end.incarnation, end.prefix.count, REPAIR
            ),
        ));
    }
    let last = end.last.map_or(0, |last| last.rank());
    if applied.count > end.prefix.count || applied.rank > last {
        return Err(Error::corrupt(
            "checkpoint-ahead-of-log",
            format!(
                "{log}: {} records up to {} were applied, and the store holds {} up to rank {last}. {}",
                applied.count,
                applied.position(),
                end.prefix.count,
                REPAIR
            ),
        ));
    }
    Ok(end.prefix.count - applied.count)
}

const REPAIR: &str = "The log was restored, truncated or created again below what the read model holds. \
    Repair: 1. keep copies of the event store and of the read model as evidence; \
    2. bring the missing records back (let the link resume from the log's origin, or restore a newer backup) \
    and start again; \
    3. if the records are gone, have that recorded as an accepted loss, then build the projection again from \
    the start under a new model prefix. Do not edit the position";

#[cfg(test)]
mod tests {
    use super::*;
    use dcp_core::digest::Digest;
    use dcp_core::position::PrefixDigest;

    fn end(incarnation: u8, count: u64) -> LogEnd {
        let incarnation = LogIncarnation::from_bytes([incarnation; 16]);
        let last = (count > 0).then(|| Position::from_store(incarnation, count * 3));
        LogEnd { incarnation, last, prefix: PrefixDigest { count, digest: Digest::ZERO } }
    }

    fn applied(incarnation: u8, count: u64) -> AppliedPosition {
        AppliedPosition { incarnation: LogIncarnation::from_bytes([incarnation; 16]), rank: count * 3, count }
    }

    #[test]
    fn a_position_that_the_log_no_longer_holds_is_refused_with_a_plan() {
        let log: LogId = "orders@w/0".parse().unwrap();
        assert_eq!(lag(&log, None, &end(1, 5)), Ok(5));
        assert_eq!(lag(&log, Some(&applied(1, 5)), &end(1, 5)), Ok(0));
        assert_eq!(lag(&log, Some(&applied(1, 2)), &end(1, 5)), Ok(3));
        let ahead = lag(&log, Some(&applied(1, 6)), &end(1, 5)).unwrap_err();
        assert_eq!(ahead.code(), "checkpoint-ahead-of-log");
        let other = lag(&log, Some(&applied(1, 5)), &end(2, 5)).unwrap_err();
        assert_eq!(other.code(), "checkpoint-of-other-incarnation");
        assert!(ahead.message().contains("Repair: 1.") && other.message().contains("Repair: 1."));
        assert!(lag(&log, Some(&applied(1, 1)), &end(1, 0)).is_err());
    }

    #[test]
    fn a_record_met_again_does_not_move_the_count() {
        let at = |rank| Position::from_store(LogIncarnation::from_bytes([1; 16]), rank);
        let one = AppliedPosition::advanced(None, at(4));
        assert_eq!(AppliedPosition::advanced(Some(one), at(4)), one);
        assert_eq!(AppliedPosition::advanced(Some(one), at(9)).count, 2);
    }
}

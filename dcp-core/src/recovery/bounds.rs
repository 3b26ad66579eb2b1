//! Whether the plans over a treaty keep to the bounds of the journal. Pure.

use crate::error::Error;
use crate::ids::RegionId;
use crate::log::LogId;
use crate::ports::step_action::Facts;
use crate::position::{Cut, LogEnd, LogIncarnation, Position, PrefixDigest};
use crate::runbook::ENTRY_MAX_BYTES;
use crate::treaty::Treaty;

/// What an entry holds beside its facts, at most: names and the frame.
const FRAME_BYTES: usize = 4 << 10;

/// The largest facts that a step leaves about the logs of one region: each log's end, with every
/// number at its widest. No step leaves more of a log.
fn largest_facts(logs: &[LogId]) -> Result<usize, Error> {
    let incarnation = LogIncarnation::from_bytes([u8::MAX; 16]);
    let digest = crate::digest::Digest::from_bytes([u8::MAX; 32]);
    let prefix = PrefixDigest { count: u64::MAX, digest };
    let last = Some(Position::from_store(incarnation, u64::MAX));
    let mut ends = Cut::new();
    for log in logs {
        ends.insert(log.clone(), LogEnd { incarnation, last, prefix });
    }
    let facts = Facts::new().with("ends", &ends)?;
    Ok(serde_json::to_vec(&facts).map_or(usize::MAX, |json| json.len()))
}

/// # Errors
/// `Invalid` if a region has so many logs that what a step leaves about them is larger than an entry
/// of the journal: better known when a plane is assembled than in a blackout.
pub(crate) fn check_bounds(treaty: &Treaty) -> Result<(), Error> {
    for region in &treaty.regions() {
        let logs = treaty.logs_by_origin(region);
        let bytes = largest_facts(&logs)?.saturating_add(FRAME_BYTES);
        if bytes > ENTRY_MAX_BYTES {
            return Err(too_many(region, logs.len(), bytes));
        }
    }
    Ok(())
}

fn too_many(region: &RegionId, logs: usize, bytes: usize) -> Error {
    Error::invalid(
        "too-many-logs",
        format!(
            "{region} has {logs} logs: their ends take {bytes} bytes in a journal entry, at most {ENTRY_MAX_BYTES}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fixtures::{TwoRegions, orders, west};

    fn logs(partitions: u32) -> Vec<LogId> {
        (0..partitions).map(|partition| LogId::new(orders(), west(), partition)).collect()
    }

    #[test]
    fn a_thousand_logs_fit_an_entry_and_two_thousand_do_not() {
        check_bounds(TwoRegions::new().treaty()).unwrap();
        assert!(largest_facts(&logs(1_000)).unwrap() + FRAME_BYTES <= ENTRY_MAX_BYTES);
        assert!(largest_facts(&logs(2_000)).unwrap() + FRAME_BYTES > ENTRY_MAX_BYTES);
    }
}

//! R4: a gap stops; nothing is skipped.

use std::collections::BTreeMap;

use super::finding::{Checks, Finding};
use super::gathered::Gathered;
use crate::region::RegionStatus;

const STATEMENT: &str =
    "Versions count from 1 without gaps per log and stream, and no projection stopped or applied past a gap.";

pub(super) fn judge(from: &Gathered, status: &BTreeMap<String, RegionStatus>) -> Finding {
    let mut checks = Checks::new();
    for (home, table) in &from.stores {
        for (number, rows) in table.logs.iter().enumerate() {
            let mut streams: BTreeMap<u32, u64> = BTreeMap::new();
            for row in rows {
                let last = streams.entry(row.stream).or_insert(0);
                checks.check(row.version == *last + 1, || {
                    let log = &from.logs.entry(number).id;
                    format!("{log} in {}: version {} after {last} at {}", home.region(), row.version, row.rank)
                });
                *last = row.version;
            }
        }
    }
    for (region, status) in status {
        for (projection, counts) in &status.replay.deliveries {
            let ahead = counts.applied_ahead + counts.conflict;
            checks.check(ahead == 0, || format!("{region}: {projection} met {counts:?}"));
        }
        for (projection, why) in &status.replay.stopped {
            checks.check(false, || format!("{region}: {projection} stopped: {why}"));
        }
    }
    checks.finding("R4", STATEMENT)
}

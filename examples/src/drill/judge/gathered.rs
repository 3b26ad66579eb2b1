//! All that is judged, in memory: compact tables, no payloads.

use std::collections::{BTreeMap, BTreeSet};

use dcp_core::ownership::Epoch;

use super::history::{Chains, Story};
use super::logs::Logs;
use super::models_found::Found;
use super::table::StoreTable;
use super::told::{AckRow, Spans, Told};
use crate::drill::stale::StaleReport;
use crate::orders::{Home, ReadModels};

/// Whose first mandates the stale writer holds.
const STALE_WRITER: Home = Home::West;

/// Evidence of one run.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) logs: Logs,
    /// Lines of the data; also the number of the last one.
    pub(super) lines: u32,
    pub(super) stores: BTreeMap<Home, StoreTable>,
    pub(super) told: Told,
    pub(super) chains: Chains,
    pub(super) story: Story,
    /// What each region's read models hold.
    pub(super) models: BTreeMap<Home, ReadModels>,
    /// What the order lines alone add up to.
    pub(super) expected: ReadModels,
    /// What each region's store adds up to in canonical order, or why it cannot be folded.
    pub(super) folded: BTreeMap<Home, Result<ReadModels, String>>,
    /// What each process of a region noted of its read models, in the order of time.
    pub(super) found: BTreeMap<Home, Vec<Found>>,
}

/// What several invariants need and is worked out once.
#[derive(Debug)]
pub(super) struct Derived {
    pub(super) spans: Spans,
    /// Where each line was first acknowledged.
    pub(super) places: Vec<Option<AckRow>>,
    /// How often each region's store holds each line.
    pub(super) counts: BTreeMap<Home, Vec<u8>>,
    /// Records that nobody was told of and that nobody has in doubt, in words.
    pub(super) unexplained: Vec<String>,
    /// All other records, each counted in its origin's own store.
    pub(super) explained_records: u64,
    /// Lines that a region may hold twice: those that a producer or the stale writer has in doubt.
    pub(super) may_repeat: BTreeSet<u32>,
}

impl Derived {
    pub(super) fn of(from: &Gathered, stale: Option<&StaleReport>) -> Self {
        let places = from.told.first_places(from.lines);
        let counts = from.stores.iter().map(|(home, table)| (*home, table.counts(from.lines))).collect();
        let doubtful = stale.map(|stale| stale.doubtful_lines.iter().filter_map(|line| u32::try_from(*line).ok()));
        let doubtful: BTreeSet<u32> = doubtful.into_iter().flatten().collect();
        let (unexplained, explained_records) = explain(from, &places, &doubtful);
        let may_repeat = from.told.in_doubt.union(&doubtful).copied().collect();
        Self { spans: Spans::of(&from.told, &from.logs), places, counts, unexplained, explained_records, may_repeat }
    }
}

// A record is explained by the first acknowledgement of its line, which names its log and epoch; by
// the line's being in doubt at its producer; or, under the first epoch in the lost region's log, by its
// being in doubt at the stale writer, which tries nothing else. It is looked for where it was written:
// in its origin's own store.
fn explain(from: &Gathered, places: &[Option<AckRow>], doubtful: &BTreeSet<u32>) -> (Vec<String>, u64) {
    let (mut unexplained, mut explained) = (Vec::new(), 0);
    for (number, entry) in from.logs.iter() {
        let Some(table) = from.stores.get(&entry.origin) else { continue };
        for row in &table.logs[number] {
            let told = places.get(row.line as usize).copied().flatten();
            let acknowledged = told.is_some_and(|ack| ack.log == number && ack.epoch == row.epoch);
            let tried = doubtful.contains(&row.line)
                && row.epoch == Epoch::GENESIS.get()
                && (entry.home, entry.origin) == (STALE_WRITER, STALE_WRITER);
            if acknowledged || tried || from.told.in_doubt.contains(&row.line) {
                explained += 1;
            } else {
                unexplained
                    .push(format!("line {} under epoch {} in {} at {}", row.line, row.epoch, entry.id, row.rank));
            }
        }
    }
    (unexplained, explained)
}

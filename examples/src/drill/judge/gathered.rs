//! All that is judged, in memory: compact tables, no payloads.

use std::collections::{BTreeMap, BTreeSet};

use super::history::{Chains, Story};
use super::logs::Logs;
use super::table::StoreTable;
use super::told::{AckRow, Spans, Told};
use crate::orders::{Home, ReadModels};

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
}

/// What several invariants need and is worked out once.
#[derive(Debug)]
pub(super) struct Derived {
    pub(super) spans: Spans,
    /// Where each line was first acknowledged.
    pub(super) places: Vec<Option<AckRow>>,
    /// How often each region's store holds each line.
    pub(super) counts: BTreeMap<Home, Vec<u8>>,
    /// Records that nobody was told of and that no producer has in doubt.
    pub(super) unexplained: BTreeMap<u32, String>,
    /// Such records beyond those that carry no order line at all.
    pub(super) unexplained_records: u64,
}

impl Derived {
    pub(super) fn of(from: &Gathered) -> Self {
        let places = from.told.first_places(from.lines);
        let counts = from.stores.iter().map(|(home, table)| (*home, table.counts(from.lines))).collect();
        let (unexplained, unexplained_records) = unexplained(from, &places);
        Self { spans: Spans::of(&from.told, &from.logs), places, counts, unexplained, unexplained_records }
    }

    /// Lines whose record some region may hold twice: those in doubt, and those that a stale writer
    /// has in doubt, which the producers know nothing of.
    pub(super) fn may_repeat(&self, told: &Told, stale_in_doubt: u64) -> BTreeSet<u32> {
        let mut lines = told.in_doubt.clone();
        if self.unexplained_records <= stale_in_doubt {
            lines.extend(self.unexplained.keys());
        }
        lines
    }
}

// A record is explained by the first acknowledgement of its line, which names its log and epoch, or
// by the line's being in doubt. It is looked for where it was written: in its origin's own store.
fn unexplained(from: &Gathered, places: &[Option<AckRow>]) -> (BTreeMap<u32, String>, u64) {
    let (mut lines, mut records) = (BTreeMap::new(), 0);
    for (number, entry) in from.logs.iter() {
        let Some(table) = from.stores.get(&entry.origin) else { continue };
        for row in &table.logs[number] {
            let told = places.get(row.line as usize).copied().flatten();
            let acknowledged = told.is_some_and(|ack| ack.log == number && ack.epoch == row.epoch);
            if !acknowledged && !from.told.in_doubt.contains(&row.line) {
                records += 1;
                let text = || format!("line {} under epoch {} in {} at {}", row.line, row.epoch, entry.id, row.rank);
                lines.entry(row.line).or_insert_with(text);
            }
        }
    }
    (lines, records)
}

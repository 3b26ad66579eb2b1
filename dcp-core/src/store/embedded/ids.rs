//! Which ids a log holds: sorted runs of fingerprints, merged by levels.
//!
//! A batch adds one small sorted run; eight runs of a level are merged into one of the next, so
//! that an entry is rewritten a few times only, there are few runs to search, and memory is
//! bounded however many ids there are. A fingerprint is eight bytes, so that a hit is only a
//! candidate: the record itself is compared before anything is decided from it.

use redb::{AccessGuard, ReadableTable, Table};

use super::tables::{LogRow, Run, RunKey};
use crate::embedded::Fault;
use crate::event::EventId;

/// Runs of one level that are merged into one of the next.
const FANOUT: usize = 8;
/// Runs are not merged beyond this many entries (12 MB), which bounds the memory and the time of
/// one merge. A log of 100 million events then has about 100 such runs.
const MERGE_MAX_ENTRIES: u32 = 1 << 20;
const ENTRY: usize = 8 + 4;
/// Entries of one block: what fits a page of 16 KB.
const BLOCK_ENTRIES: usize = 1_360;

/// Fingerprint, then ordinal, both big-endian: entries sort as bytes.
pub(crate) type Entry = [u8; ENTRY];

/// Most records of one log: ordinals in entries have four bytes.
pub(crate) const LOG_MAX_RECORDS: u64 = u32::MAX as u64;

/// Both halves count, so that ids that begin alike (a time, a name space) still spread.
pub(crate) fn fingerprint(id: &EventId) -> u64 {
    let (high, low) = id.as_bytes().split_at(8);
    let number = |half: &[u8]| half.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    number(high) ^ number(low)
}

pub(crate) fn entry(id: &EventId, ordinal: u32) -> Entry {
    let mut entry = [0; ENTRY];
    entry[..8].copy_from_slice(&fingerprint(id).to_be_bytes());
    entry[8..].copy_from_slice(&ordinal.to_be_bytes());
    entry
}

fn fingerprint_of(entry: &Entry) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *entry;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

fn ordinal_of(entry: &Entry) -> u64 {
    let [.., a, b, c, d] = *entry;
    u64::from(u32::from_be_bytes([a, b, c, d]))
}

fn entries(block: &[u8]) -> Result<&[Entry], Fault> {
    match block.as_chunks::<ENTRY>() {
        (entries, []) if !entries.is_empty() => Ok(entries),
        _ => Err(Fault::damaged("a block of ids")),
    }
}

/// Ordinals of the records whose ids may be among these fingerprints, which are sorted.
pub(crate) fn candidates(
    runs: &impl ReadableTable<RunKey, &'static [u8]>,
    row: &LogRow,
    sorted: &[u64],
) -> Result<Vec<u64>, Fault> {
    let mut found = Vec::new();
    for run in &row.runs {
        search(runs, row.number, run.number, sorted, &mut found)?;
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn search(
    runs: &impl ReadableTable<RunKey, &'static [u8]>,
    log: u32,
    run: u32,
    sorted: &[u64],
    found: &mut Vec<u64>,
) -> Result<(), Fault> {
    let mut block: Option<AccessGuard<'_, &'static [u8]>> = None;
    for &wanted in sorted {
        let covered = match &block {
            Some(block) => entries(block.value())?.last().is_some_and(|last| wanted <= fingerprint_of(last)),
            None => false,
        };
        if !covered {
            // The block that begins at or before it; equal fingerprints are never split over two.
            block = match runs.range((log, run, 0)..=(log, run, wanted))?.next_back() {
                Some(row) => Some(row?.1),
                None => None,
            };
        }
        let Some(block) = &block else { continue };
        let entries = entries(block.value())?;
        let from = entries.partition_point(|entry| fingerprint_of(entry) < wanted);
        let same = entries[from..].iter().take_while(|entry| fingerprint_of(entry) == wanted);
        found.extend(same.map(ordinal_of));
    }
    Ok(())
}

/// Adds the entries of one batch as a run, and merges where a level is full.
pub(crate) fn add(
    runs: &mut Table<'_, RunKey, &'static [u8]>,
    row: &mut LogRow,
    mut added: Vec<Entry>,
) -> Result<(), Fault> {
    let mut level = 0;
    loop {
        added.sort_unstable();
        write(runs, row, &added, level)?;
        let full: Vec<Run> = row.runs.iter().filter(|run| run.level == level).copied().collect();
        let total = full.iter().fold(0_u32, |total, run| total.saturating_add(run.entries));
        if full.len() < FANOUT || total > MERGE_MAX_ENTRIES {
            return Ok(());
        }
        added = Vec::with_capacity(total as usize);
        for run in full {
            take(runs, row.number, run.number, &mut added)?;
        }
        row.runs.retain(|run| run.level != level);
        level += 1;
    }
}

fn write(
    runs: &mut Table<'_, RunKey, &'static [u8]>,
    row: &mut LogRow,
    sorted: &[Entry],
    level: u8,
) -> Result<(), Fault> {
    let number = row.next_run;
    let mut rest = sorted;
    while let Some(first) = rest.first() {
        let (block, after) = rest.split_at(block_length(rest));
        runs.insert((row.number, number, fingerprint_of(first)), block.as_flattened())?;
        rest = after;
    }
    let entries = u32::try_from(sorted.len()).map_err(|_| Fault::damaged("a run of ids"))?;
    row.next_run = number.checked_add(1).ok_or_else(|| Fault::damaged("the counter of id runs"))?;
    row.runs.push(Run { number, level, entries });
    Ok(())
}

/// Up to a block's bound, and beyond it only to keep equal fingerprints together.
fn block_length(sorted: &[Entry]) -> usize {
    match sorted.get(BLOCK_ENTRIES) {
        None => sorted.len(),
        Some(next) => {
            let fingerprint = fingerprint_of(next);
            match sorted.partition_point(|entry| fingerprint_of(entry) < fingerprint) {
                0 => sorted.partition_point(|entry| fingerprint_of(entry) <= fingerprint),
                before => before.min(BLOCK_ENTRIES),
            }
        }
    }
}

fn take(runs: &mut Table<'_, RunKey, &'static [u8]>, log: u32, run: u32, taken: &mut Vec<Entry>) -> Result<(), Fault> {
    let mut keys = Vec::new();
    for block in runs.range((log, run, 0)..=(log, run, u64::MAX))? {
        let (key, block) = block?;
        taken.extend_from_slice(entries(block.value())?);
        keys.push(key.value());
    }
    for key in keys {
        runs.remove(key)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! What the producers were told, and what they noted as in doubt.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dcp_core::Error;

use super::logs::Logs;
use crate::drill::export::each_line;
use crate::orders::{Home, event_id};
use crate::producer::evidence::{Ack, Doubt, LateAnswer};

/// One acknowledged line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AckRow {
    pub(super) line: u32,
    /// Number of the log that holds it.
    pub(super) log: usize,
    pub(super) epoch: u64,
    pub(super) rank: u64,
    /// The region that answered.
    pub(super) by: Home,
    pub(super) sent_ns: u64,
    pub(super) at_ns: u64,
}

/// The acknowledgements of both producers, and the lines in doubt.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) acks: Vec<AckRow>,
    pub(super) in_doubt: BTreeSet<u32>,
    /// Answers that came too late to be counted.
    pub(super) late: Vec<LateAnswer>,
}

impl Told {
    /// Reads the files in `acks/`.
    ///
    /// # Errors
    /// `Invalid` if one is missing; `Corrupt` with the line if it contradicts itself.
    pub(super) fn read(folder: &Path, logs: &Logs, lines: u32) -> Result<Self, Error> {
        let mut told = Self::default();
        for home in Home::ALL {
            each_line(&folder.join(format!("{}.jsonl", home.region())), |ack: Ack| {
                told.acks.push(row_of(&ack, logs, lines)?);
                Ok(())
            })?;
            each_line(&folder.join(format!("{}.in_doubt.jsonl", home.region())), |doubt: Doubt| {
                told.in_doubt.insert(known_line(doubt.line, doubt.id == event_id(doubt.line), lines)?);
                Ok(())
            })?;
            each_line(&folder.join(format!("{}.late.jsonl", home.region())), |late: LateAnswer| {
                told.late.push(late);
                Ok(())
            })?;
        }
        Ok(told)
    }

    /// For each line in `1..=lines` where it was first acknowledged.
    pub(super) fn first_places(&self, lines: u32) -> Vec<Option<AckRow>> {
        let mut places = vec![None; lines as usize + 1];
        for ack in &self.acks {
            if let Some(place) = places.get_mut(ack.line as usize) {
                place.get_or_insert(*ack);
            }
        }
        places
    }
}

fn known_line(line: u64, id_agrees: bool, lines: u32) -> Result<u32, Error> {
    let known = u32::try_from(line).ok().filter(|line| (1..=lines).contains(line) && id_agrees);
    known.ok_or_else(|| Error::corrupt("bad-evidence", format!("line {line} and its id do not belong together")))
}

fn row_of(ack: &Ack, logs: &Logs, lines: u32) -> Result<AckRow, Error> {
    let log = logs
        .find(&ack.log)
        .ok_or_else(|| Error::corrupt("bad-evidence", format!("{}: no log of the treaty", ack.log)))?;
    Ok(AckRow {
        line: known_line(ack.line, ack.id == event_id(ack.line), lines)?,
        log,
        epoch: ack.epoch.get(),
        rank: ack.position,
        by: Home::of_region(&ack.by)?,
        sent_ns: ack.sent_ns,
        at_ns: ack.at_ns,
    })
}

/// For each slice and epoch when the first and the last answer were counted.
#[derive(Debug)]
pub(super) struct Spans(Vec<BTreeMap<u64, Span>>);

/// First and last answer under an epoch, in nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
    /// First answer under any higher epoch.
    pub(super) barrier_ns: Option<u64>,
}

impl Spans {
    pub(super) fn of(told: &Told, logs: &Logs) -> Self {
        let mut slices = vec![BTreeMap::new(); logs.slices().len()];
        for ack in &told.acks {
            let new = Span { first_ns: ack.at_ns, last_ns: ack.at_ns, barrier_ns: None };
            let span: &mut Span = slices[logs.entry(ack.log).slice].entry(ack.epoch).or_insert(new);
            span.first_ns = span.first_ns.min(ack.at_ns);
            span.last_ns = span.last_ns.max(ack.at_ns);
        }
        for epochs in &mut slices {
            let mut barrier: Option<u64> = None;
            for span in epochs.values_mut().rev() {
                span.barrier_ns = barrier;
                barrier = Some(barrier.map_or(span.first_ns, |barrier| barrier.min(span.first_ns)));
            }
        }
        Self(slices)
    }

    /// The answers of a slice under an epoch.
    pub(super) fn get(&self, slice: usize, epoch: u64) -> Option<&Span> {
        self.0.get(slice)?.get(&epoch)
    }

    /// First answer of an acknowledgement's slice under a higher epoch than its own.
    pub(super) fn barrier(&self, ack: &AckRow, logs: &Logs) -> Option<u64> {
        self.get(logs.entry(ack.log).slice, ack.epoch).and_then(|span| span.barrier_ns)
    }
}

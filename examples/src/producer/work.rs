//! The lines of one home by partition, and how many of each are acknowledged.

use std::collections::BTreeMap;

use dcp_core::error::Error;
use dcp_core::ids::SliceRef;
use dcp_core::treaty::Treaty;

use super::evidence::Ack;
use super::progress::{FirstAcks, Progress};
use crate::orders::{Home, Orders, PARTITIONS, event_id, partition_of};

/// One partition's lines, in order.
#[derive(Debug)]
pub struct Lane {
    /// The slice that the partition belongs to.
    pub slice: SliceRef,
    /// Line numbers.
    pub lines: Vec<u64>,
    /// How many of them are acknowledged; the rest follow.
    pub done: usize,
}

/// All that one producer has to send.
#[derive(Debug)]
pub struct Work {
    lanes: Vec<Lane>,
    // By line number, from index 1: the lane of an own line, and whether it is acknowledged.
    lane_of: Vec<Option<u32>>,
    noted: Vec<bool>,
}

impl Work {
    /// Sorts the lines at home in `home` by partition; none is acknowledged.
    ///
    /// # Errors
    /// `Invalid` if the treaty has not the orders' scope at home there, with its 20 partitions.
    pub fn plan(home: Home, treaty: &Treaty, orders: &Orders) -> Result<Self, Error> {
        let scope = home.scope_id();
        let terms = treaty.scope(&scope)?;
        if terms.partitions() != PARTITIONS || terms.home() != &home.region_id() {
            let message = format!("{scope}: expected {PARTITIONS} partitions at home in {}", home.region());
            return Err(Error::invalid("other-scope", message));
        }
        let mut lanes = Vec::new();
        for partition in 0..PARTITIONS {
            let slice = SliceRef::new(scope.clone(), terms.slice_of(partition)?.clone());
            lanes.push(Lane { slice, lines: Vec::new(), done: 0 });
        }
        let mut lane_of = vec![None];
        for line in orders.iter() {
            let partition = partition_of(line.stock_code());
            let own = line.home()? == home;
            lane_of.push(own.then_some(partition));
            if own {
                lanes[partition as usize].lines.push(line.number());
            }
        }
        let noted = vec![false; lane_of.len()];
        Ok(Self { lanes, lane_of, noted })
    }

    /// Takes in one acknowledgement from the evidence; answers its slice.
    ///
    /// # Errors
    /// `Corrupt` if it is of no own line, or of one that was acknowledged before.
    pub fn acknowledged(&mut self, ack: &Ack) -> Result<&SliceRef, Error> {
        let corrupt = |what: &str| Error::corrupt("bad-evidence", format!("line {}: {what}", ack.line));
        let index = usize::try_from(ack.line).map_err(|_| corrupt("is out of range"))?;
        let lane = self.lane_of.get(index).copied().flatten().ok_or_else(|| corrupt("is not at home here"))?;
        let lane = &self.lanes[lane as usize];
        if event_id(ack.line) != ack.id || ack.log.scope() != &lane.slice.scope {
            return Err(corrupt("has the id or log of another one"));
        }
        if std::mem::replace(&mut self.noted[index], true) {
            return Err(corrupt("is acknowledged twice"));
        }
        Ok(&lane.slice)
    }

    /// After the last acknowledgement: finds where each partition goes on.
    ///
    /// # Errors
    /// `Corrupt` if a line is acknowledged while an older one of its partition is not.
    pub fn settle(&mut self) -> Result<(), Error> {
        for lane in &mut self.lanes {
            let is_noted = |line: &&u64| self.noted[usize::try_from(**line).unwrap_or(0)];
            lane.done = lane.lines.iter().take_while(is_noted).count();
            if let Some(line) = lane.lines[lane.done..].iter().find(is_noted) {
                let message = format!("line {line} is acknowledged before an older line of its partition");
                return Err(Error::corrupt("bad-evidence", message));
            }
        }
        self.noted = Vec::new();
        Ok(())
    }

    pub(super) fn progress(&self, first_acks: &FirstAcks) -> Progress {
        let sum = |count: fn(&Lane) -> usize| self.lanes.iter().map(count).sum::<usize>() as u64;
        Progress {
            own_lines: sum(|lane| lane.lines.len()),
            acknowledged: sum(|lane| lane.done),
            complete_to: complete_to(self.waiting().values().copied().flatten(), self.last_line()),
            in_doubt_batches: 0,
            first_acks: first_acks.list(),
        }
    }

    /// The first line of each partition that is not acknowledged.
    pub(super) fn waiting(&self) -> BTreeMap<u32, Option<u64>> {
        (0..).zip(&self.lanes).map(|(partition, lane)| (partition, lane.lines.get(lane.done).copied())).collect()
    }

    /// Number of the file's last line.
    pub(super) fn last_line(&self) -> u64 {
        self.lane_of.len() as u64 - 1
    }

    /// The partitions, in order.
    pub(super) fn into_lanes(self) -> Vec<Lane> {
        self.lanes
    }
}

/// The highest line up to which nothing is waiting.
pub(super) fn complete_to(waiting: impl Iterator<Item = u64>, last_line: u64) -> u64 {
    waiting.min().map_or(last_line, |line| line - 1)
}

//! The shell: one task a partition, one that writes the evidence, and questions to both regions.

mod lane;
mod late;
mod owners;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dcp_core::clock::{Clock, Moment};
use dcp_core::error::Error;
use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::ownership::Epoch;
use dcp_core::tasks::TaskGroup;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::late::LateAnswers;
use self::owners::Owners;
use super::evidence::EvidenceSender;
use super::progress::{FirstAcks, Progress};
use super::work::complete_to;
use super::{Gate, Producer, ProducerSettings};
use crate::orders::Orders;

/// How often the owners are asked for while all goes well.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(250);

/// What all partitions share.
#[derive(Debug)]
struct Shared {
    settings: ProducerSettings,
    home: RegionId,
    orders: Arc<Orders>,
    owners: Owners,
    clock: Arc<dyn Clock>,
    stamps: Arc<dyn Clock>,
    evidence: EvidenceSender,
    late: LateAnswers,
    gate: Gate,
    board: Board,
}

/// Where partitions put what they have reached.
#[derive(Debug)]
struct Board {
    state: Mutex<BoardState>,
    last_line: u64,
    progress: watch::Sender<Progress>,
}

#[derive(Debug)]
struct BoardState {
    waiting: BTreeMap<u32, Option<u64>>,
    first_acks: FirstAcks,
}

impl Board {
    fn acknowledged(
        &self,
        partition: u32,
        lines: u64,
        waiting: Option<u64>,
        first: (&SliceRef, Epoch, &RegionId, Moment),
    ) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting.insert(partition, waiting);
        let (slice, epoch, by, at) = first;
        let new_first = state.first_acks.note(slice, epoch, by, at.as_nanos());
        self.progress.send_modify(|progress| {
            progress.acknowledged += lines;
            progress.complete_to = complete_to(state.waiting.values().copied().flatten(), self.last_line);
            if new_first {
                progress.first_acks = state.first_acks.list();
            }
        });
    }

    fn in_doubt(&self) {
        self.progress.send_modify(|progress| progress.in_doubt_batches += 1);
    }
}

/// Runs a producer to its end.
pub(super) async fn run(producer: Producer, stop: &CancellationToken) -> Result<(), Error> {
    let Producer { settings, orders, regions, clock, stamps, work, evidence, gate, progress } = producer;
    let resumed = evidence.is_resumed();
    let (evidence, writer) = evidence.split();
    let mut first_acks = FirstAcks::default();
    for first in &progress.borrow().first_acks {
        first_acks.note(&first.slice, first.epoch, &first.by, first.at_ns);
    }
    let state = Mutex::new(BoardState { waiting: work.waiting(), first_acks });
    let board = Board { state, last_line: work.last_line(), progress };
    let owners = Owners::new(Arc::clone(&settings.treaty), regions, Arc::clone(&clock));
    let home = settings.home.region_id();
    let late = LateAnswers::default();
    let shared = Arc::new(Shared { settings, home, orders, owners, clock, stamps, evidence, late, gate, board });
    let mut group = TaskGroup::new(stop);
    let done = group.stop_token().child_token();
    let alive = Arc::new(done.clone().drop_guard());
    group.spawn("owners", follow(Arc::clone(&shared), done));
    group.spawn("evidence", writer.run());
    for (partition, lane) in (0..).zip(work.into_lanes()) {
        let task = lane::run(Arc::clone(&shared), partition, lane, resumed, Arc::clone(&alive), group.stop_token());
        group.spawn(format!("partition {partition}"), task);
    }
    // The follower ends with the last partition, and the writer with the last sender.
    drop((shared, alive));
    group.join().await
}

/// Asks for the owners also while all goes well, so that partitions follow a higher epoch even if
/// the old owner should go on answering.
async fn follow(shared: Arc<Shared>, done: CancellationToken) -> Result<(), Error> {
    let scope = shared.settings.home.scope_id();
    let slices = shared.settings.treaty.slices().into_iter().filter(|slice| slice.scope == scope);
    let slices: Vec<SliceRef> = slices.collect();
    loop {
        tokio::select! {
            biased;
            () = done.cancelled() => return Ok(()),
            () = shared.clock.sleep(FOLLOW_INTERVAL) => {}
        }
        for slice in &slices {
            tokio::select! {
                biased;
                () = done.cancelled() => return Ok(()),
                heard = shared.owners.ask(slice) => drop(heard?),
            }
        }
    }
}

#[cfg(test)]
pub(in crate::producer) mod tests;

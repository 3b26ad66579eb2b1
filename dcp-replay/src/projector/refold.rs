//! Folding of dirty streams again, from their first event, in canonical order.
//!
//! A refold reaches as far as the projection has applied each log, which is the cut or beyond it:
//! what was applied beyond the cut stays applied. Each pass covers a bounded number of streams of one
//! partition and is one commit, which removes their old rows, writes the new ones and clears their
//! marks; a crash in between leaves the other streams dirty, and the next refold takes them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use dcp_core::event::{Placed, StreamId};
use dcp_core::ids::ScopeId;
use dcp_core::ownership::Epoch;
use dcp_core::ports::{EventReader, ReadFrom};
use dcp_core::{Error, Failure};

use super::engine::{Engine, Parts};
use super::seat::Seat;
use super::stopping;
use crate::decide::is_canonical;
use crate::logs::Group;
use crate::merge::{Buffered, next_in_order};
use crate::model_store::scan_all;
use crate::projection::Applied;
use crate::sighted::Sighted;

/// Records of one log read at once.
const READ_LIMIT: usize = 1_000;
/// Records whose ids are looked up at once.
const LOOK_UP_LIMIT: usize = 2_000;

/// Streams of one partition that are folded again together.
#[derive(Debug)]
struct Pass<'a> {
    group: &'a Group,
    number: usize,
    streams: BTreeSet<StreamId>,
}

impl Engine {
    /// Folds every dirty stream of one projection again.
    pub(super) async fn refold(&mut self, parts: Parts<'_>, number: usize) -> Result<(), Failure> {
        while let Some(pass) = next_pass(parts, &self.seats[number]).map_err(Failure::NotApplied)? {
            let seat = &mut self.seats[number];
            let result = run_pass(parts, seat, &pass).await.map_err(Failure::NotApplied)?;
            if let Err(reason) = result {
                // What the pass had folded is not kept: the streams stay dirty, the projection stops.
                seat.rows.clear();
                seat.changes.clear();
                seat.changed_marks.clear();
                seat.stop(reason.clone()).map_err(Failure::NotApplied)?;
                let changes = seat.take_changes(parts.logs).map_err(Failure::NotApplied)?;
                self.commit(parts, changes).await?;
                return Err(Failure::NotApplied(Error::stopped("projection-stopped", reason)));
            }
            let changes = self.seats[number].take_changes(parts.logs).map_err(Failure::NotApplied)?;
            self.commit(parts, changes).await?;
        }
        Ok(())
    }
}

/// Some dirty streams of one partition; none if no stream is dirty.
fn next_pass<'a>(parts: Parts<'a>, seat: &Seat) -> Result<Option<Pass<'a>>, Error> {
    if seat.dirty == 0 {
        return Ok(None);
    }
    for (scope, marks) in &seat.marks {
        let Some(partition) = marks.values().find(|mark| mark.dirty).map(|mark| mark.partition) else { continue };
        let group = partition.and_then(|partition| parts.logs.group(scope, partition));
        let Some(group) = group else {
            return Err(Error::corrupt(
                "dirty-stream-not-followed",
                format!("scope {scope}: a stream of partition {partition:?} is dirty, and its logs are not followed"),
            ));
        };
        let streams = marks.iter().filter(|(_, mark)| mark.dirty && mark.partition == Some(group.partition));
        let streams = streams.map(|(stream, _)| stream.clone()).take(parts.settings.refold_streams).collect();
        let number = parts.logs.groups.iter().position(|other| other == group).unwrap_or_default();
        return Ok(Some(Pass { group, number, streams }));
    }
    Err(Error::corrupt(
        "dirty-count",
        format!("projection {}: {} streams counted dirty, none marked", seat.id, seat.dirty),
    ))
}

/// The inner error is the reason for which the projection stops.
async fn run_pass(parts: Parts<'_>, seat: &mut Seat, pass: &Pass<'_>) -> Result<Result<(), String>, Error> {
    remove_rows(parts, seat, &pass.group.scope, &pass.streams).await?;
    let mut highest: BTreeMap<StreamId, Epoch> = BTreeMap::new();
    let mut sources = Sources::open(parts, seat, pass.group).await?;
    loop {
        let batch = sources.next_batch(&pass.streams).await?;
        if batch.is_empty() {
            break;
        }
        let ids = batch.iter().map(|(_, placed)| placed.record.id).collect();
        let wanted = BTreeMap::from([(pass.number, ids)]);
        let sighted = Sighted::look_up(parts.source, wanted, &parts.logs.groups).await?;
        let sighted = sighted.into_values().next().unwrap_or_default();
        for (log, placed) in &batch {
            let event = Applied { log: &parts.logs.ids[*log], position: placed.position, record: &placed.record };
            if !is_canonical(&event, sighted.of(&placed.record.id), |log| seat.applied(parts.logs, log)) {
                continue;
            }
            if let Err(error) = seat.fold(parts.models, &event).await? {
                return Ok(Err(stopping::unfoldable(&event, &error)));
            }
            highest.insert(placed.record.stream.clone(), placed.record.epoch);
        }
    }
    let marks = seat.marks.entry(pass.group.scope.clone()).or_default();
    for stream in &pass.streams {
        if let Some(mark) = marks.get_mut(stream) {
            mark.dirty = false;
            mark.highest = highest.get(stream).copied();
            seat.dirty -= 1;
        }
    }
    seat.changed_marks.entry(pass.group.scope.clone()).or_default().extend(pass.streams.iter().cloned());
    Ok(Ok(()))
}

/// Removes the rows of the streams.
async fn remove_rows(
    parts: Parts<'_>,
    seat: &mut Seat,
    scope: &ScopeId,
    streams: &BTreeSet<StreamId>,
) -> Result<(), Error> {
    for (key, _) in scan_all(parts.models, seat.keys.of_scope(scope).as_bytes()).await? {
        if seat.keys.parse_stream(&key).is_some_and(|(_, stream, _)| streams.contains(&stream)) {
            seat.rows.insert(key.clone(), None);
            seat.changes.insert(key, None);
        }
    }
    Ok(())
}

/// The logs of one partition, read from their start as far as they are applied.
#[derive(Debug)]
struct Sources {
    logs: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    number: usize,
    name: String,
    reader: Box<dyn EventReader>,
    left: u64,
    buffer: Buffered<Placed>,
}

impl Sources {
    async fn open(parts: Parts<'_>, seat: &Seat, group: &Group) -> Result<Self, Error> {
        let mut logs = Vec::new();
        for number in group.logs.iter().copied() {
            let left = seat.positions[number].map_or(0, |applied| applied.count);
            let log = &parts.logs.ids[number];
            let reader = parts.source.open_reader(log, ReadFrom::Start).await?;
            let buffer = Buffered { records: VecDeque::new(), more: left > 0 };
            logs.push(Source { number, name: log.to_string(), reader, left, buffer });
        }
        Ok(Self { logs })
    }

    /// Next records of the streams, in canonical order; empty at the end.
    async fn next_batch(&mut self, streams: &BTreeSet<StreamId>) -> Result<Vec<(usize, Placed)>, Error> {
        let mut batch = Vec::new();
        while batch.len() < LOOK_UP_LIMIT {
            for source in &mut self.logs {
                source.fill(streams).await?;
            }
            // Every log that has more has a record in memory, so that the lowest is the next.
            let mut buffers: Vec<_> = self.logs.iter_mut().map(|source| &mut source.buffer).collect();
            let Some((member, placed)) = next_in_order(&mut buffers, None) else { break };
            batch.push((self.logs[member].number, placed));
        }
        Ok(batch)
    }
}

impl Source {
    /// Reads on until a record of the streams is in memory or the log's applied part is at its end.
    async fn fill(&mut self, streams: &BTreeSet<StreamId>) -> Result<(), Error> {
        while self.buffer.records.is_empty() && self.left > 0 {
            let limit = usize::try_from(self.left).unwrap_or(READ_LIMIT).min(READ_LIMIT);
            let records = self.reader.next(limit, Duration::ZERO).await?;
            if records.is_empty() {
                let message = format!("{}: {} applied records are missing at its end", self.name, self.left);
                return Err(Error::retry("short-read", message));
            }
            self.left = self.left.saturating_sub(u64::try_from(records.len()).unwrap_or(self.left));
            self.buffer.records.extend(records.into_iter().filter(|placed| streams.contains(&placed.record.stream)));
        }
        self.buffer.more = self.left > 0;
        Ok(())
    }
}

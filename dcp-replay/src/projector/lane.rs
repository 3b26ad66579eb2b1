//! Projections that stand at the same positions, and the readers that serve them together.

use std::collections::VecDeque;
use std::time::Duration;

use dcp_core::Error;
use dcp_core::event::Placed;
use dcp_core::ports::{EventReader, EventSource, ReadFrom};
use dcp_core::position::Cut;

use crate::logs::Logs;
use crate::merge::{Buffered, frontier, next_in_order};
use crate::progress::{AppliedPosition, lag};

/// One log's reader, and what it has read and nobody has applied.
#[derive(Debug)]
struct Feed {
    /// How far the lane has read, what is buffered included.
    read: Option<AppliedPosition>,
    reader: Option<Box<dyn EventReader>>,
    buffer: Buffered<Placed>,
}

/// One event of a batch.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) log: usize,
    /// Number of the log's group.
    pub(super) group: usize,
    pub(super) placed: Placed,
}

#[derive(Debug)]
pub(super) struct Lane {
    /// Numbers of the seats.
    pub(super) seats: Vec<usize>,
    feeds: Vec<Feed>,
}

impl Lane {
    pub(super) fn new(seats: Vec<usize>, positions: &[Option<AppliedPosition>]) -> Self {
        let feed = |read: &Option<AppliedPosition>| Feed {
            read: *read,
            reader: None,
            buffer: Buffered { records: VecDeque::new(), more: false },
        };
        Self { seats, feeds: positions.iter().map(feed).collect() }
    }

    /// Reads the next batch: each log that has more gets an equal share, and each group's events come
    /// in canonical order as far as what has arrived allows.
    pub(super) async fn read(
        &mut self,
        source: &dyn EventSource,
        logs: &Logs,
        ends: &Cut,
        batch: usize,
    ) -> Result<Vec<Arrival>, Error> {
        let lags = self.lags(logs, ends)?;
        let active = lags.iter().zip(&self.feeds).filter(|(lag, feed)| **lag > 0 || !feed.buffer.records.is_empty());
        let share = (batch / active.count().max(1)).max(1);
        for (number, lag) in lags.into_iter().enumerate() {
            self.feeds[number].fill(source, logs, number, lag, share).await?;
        }
        let mut arrivals = Vec::new();
        for (group, members) in logs.groups.iter().enumerate() {
            let mut buffers: Vec<_> = self
                .feeds
                .iter_mut()
                .enumerate()
                .filter(|(number, _)| members.logs.contains(number))
                .map(|(_, feed)| &mut feed.buffer)
                .collect();
            let frontier = frontier(&buffers);
            while let Some((member, placed)) = next_in_order(&mut buffers, frontier) {
                arrivals.push(Arrival { log: members.logs[member], group, placed });
            }
        }
        Ok(arrivals)
    }

    fn lags(&self, logs: &Logs, ends: &Cut) -> Result<Vec<u64>, Error> {
        let lag_of = |(log, feed): (&_, &Feed)| {
            let missing = || Error::corrupt("missing-end", format!("{log}: the store did not answer its end"));
            lag(log, feed.read.as_ref(), ends.get(log).ok_or_else(missing)?)
        };
        logs.ids.iter().zip(&self.feeds).map(lag_of).collect()
    }
}

impl Feed {
    async fn fill(
        &mut self,
        source: &dyn EventSource,
        logs: &Logs,
        number: usize,
        lag: u64,
        share: usize,
    ) -> Result<(), Error> {
        let room = share.saturating_sub(self.buffer.records.len());
        self.buffer.more = lag > 0;
        if lag == 0 || room == 0 {
            return Ok(());
        }
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => {
                let from = self.read.map_or(ReadFrom::Start, |read| ReadFrom::After(read.position()));
                source.open_reader(&logs.ids[number], from).await?
            }
        };
        let records = reader.next(room, Duration::ZERO).await?;
        self.reader = Some(reader);
        let before = self.read.map_or(0, |read| read.count);
        for placed in records {
            self.read = Some(AppliedPosition::advanced(self.read, placed.position));
            self.buffer.records.push_back(placed);
        }
        let read = self.read.map_or(0, |read| read.count) - before;
        self.buffer.more = lag > read;
        Ok(())
    }
}

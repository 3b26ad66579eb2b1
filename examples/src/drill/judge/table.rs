//! What one event store holds, as a compact table: no payload is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use dcp_core::Error;
use dcp_core::digest::Digest;
use dcp_core::event::{Placed, Record};
use dcp_core::ports::{EventSource, ReadFrom};
use dcp_core::position::PrefixDigest;

use super::logs::{LogEntry, Logs};
use crate::orders::event::EVENT_TYPE;
use crate::orders::{Orders, line_of, partition_of};

const PAGE: usize = 4_096;

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// The line that it carries; 0 if it carries none.
    pub(super) line: u32,
    /// Its stream, by number within this table.
    pub(super) stream: u32,
    pub(super) epoch: u64,
    pub(super) version: u64,
    pub(super) rank: u64,
    /// Over id, epoch, version and content.
    pub(super) digest: Digest,
    /// Whether it is exactly the event of its line, in a log where that belongs.
    pub(super) sound: bool,
}

/// One event store.
#[derive(Debug, Default)]
pub(super) struct StoreTable {
    /// By number of the log, in order of the positions.
    pub(super) logs: Vec<Vec<Row>>,
    /// What is wrong with the first record that is not sound.
    pub(super) unsound: Option<String>,
    /// Logs that the treaty does not name, with something in them.
    pub(super) foreign: Vec<String>,
}

impl StoreTable {
    /// Nothing in any of these logs.
    pub(super) fn empty(logs: &Logs) -> Self {
        Self { logs: vec![Vec::new(); logs.len()], ..Self::default() }
    }

    /// Reads a whole store once.
    pub(super) async fn read(store: &dyn EventSource, logs: &Logs, orders: &Orders) -> Result<Self, Error> {
        let (mut table, mut reading) = (Self::empty(logs), Reading::new(orders));
        for log in store.logs().await?.into_iter().filter(|log| !log.is_companion()) {
            let Some(number) = logs.find(&log) else {
                table.foreign.push(log.to_string());
                continue;
            };
            let mut reader = store.open_reader(&log, ReadFrom::Start).await?;
            loop {
                let page = reader.next(PAGE, Duration::ZERO).await?;
                if page.is_empty() {
                    break;
                }
                for placed in &page {
                    table.take(number, logs.entry(number), placed, &mut reading);
                }
            }
        }
        Ok(table)
    }

    fn take(&mut self, number: usize, entry: &LogEntry, placed: &Placed, reading: &mut Reading<'_>) {
        let record = &placed.record;
        let (line, fault) = reading.judge(entry, record);
        if let Some(fault) = &fault {
            self.unsound.get_or_insert_with(|| format!("{}: {}: {fault}", entry.id, placed.position.rank()));
        }
        self.logs[number].push(Row {
            line,
            stream: reading.stream(record.stream.as_str()),
            epoch: record.epoch.get(),
            version: record.version.get(),
            rank: placed.position.rank(),
            digest: record.digest(),
            sound: fault.is_none(),
        });
    }

    /// The record at a place.
    pub(super) fn at(&self, log: usize, rank: u64) -> Option<&Row> {
        let rows = self.logs.get(log)?;
        rows.binary_search_by_key(&rank, |row| row.rank).ok().map(|found| &rows[found])
    }

    /// How often each line is held, by line; lines outside `1..=lines` are not counted.
    pub(super) fn counts(&self, lines: u32) -> Vec<u8> {
        let mut counts = vec![0_u8; lines as usize + 1];
        for row in self.logs.iter().flatten() {
            if let Some(count) = counts.get_mut(row.line as usize).filter(|_| row.line > 0) {
                *count = count.saturating_add(1);
            }
        }
        counts
    }
}

/// Count and ordered digest of the first records; none if there are fewer.
pub(super) fn prefix_of(rows: &[Row], count: u64) -> Option<PrefixDigest> {
    let rows = rows.get(..usize::try_from(count).ok()?)?;
    Some(rows.iter().fold(PrefixDigest::EMPTY, |prefix, row| prefix.then(&row.digest)))
}

struct Reading<'a> {
    orders: &'a Orders,
    streams: BTreeMap<Box<str>, (u32, u32)>,
    payload: Vec<u8>,
}

impl<'a> Reading<'a> {
    fn new(orders: &'a Orders) -> Self {
        Self { orders, streams: BTreeMap::new(), payload: Vec::new() }
    }

    // Number and partition of a stream.
    fn known(&mut self, stream: &str) -> (u32, u32) {
        if let Some(known) = self.streams.get(stream) {
            return *known;
        }
        let number = u32::try_from(self.streams.len()).unwrap_or(u32::MAX);
        let known = (number, partition_of(stream));
        self.streams.insert(stream.into(), known);
        known
    }

    fn stream(&mut self, stream: &str) -> u32 {
        self.known(stream).0
    }

    /// The record's line, and what is wrong with it if it is not exactly that line's event.
    fn judge(&mut self, entry: &LogEntry, record: &Record) -> (u32, Option<String>) {
        // Type, id, stream and payload agree with each other.
        let line = match line_of(record) {
            Ok(line) => line,
            Err(error) => return (0, Some(error.to_string())),
        };
        let number = line.number();
        let Some(expected) = self.orders.line(number) else {
            return (0, Some(format!("line {number} is not among the order lines")));
        };
        self.payload.clear();
        let written = serde_json::to_writer(&mut self.payload, &expected);
        let same = written.is_ok() && record.payload == self.payload && &*record.event_type == EVENT_TYPE;
        let fault = if !same || record.key.is_some() || !record.headers.is_empty() {
            Some(format!("line {number} is held with another content than the file's"))
        } else if expected.home().ok() != Some(entry.home) {
            Some(format!("line {number} is at home elsewhere"))
        } else if self.known(record.stream.as_str()).1 != entry.id.partition() {
            Some(format!("line {number} belongs to another partition"))
        } else {
            None
        };
        (u32::try_from(number).unwrap_or(0), fault)
    }
}

#[cfg(test)]
mod tests;

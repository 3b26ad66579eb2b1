//! A region's events as text, for checkers that share no code with the drill.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use dcp_core::Error;
use dcp_core::event::{EventId, Placed};
use dcp_core::ids::RegionId;
use dcp_core::log::LogId;
use dcp_core::ports::{EventSource, ReadFrom};
use serde::Serialize;

use super::stores::EventStores;
use crate::orders::{Home, OrderLine};

const PAGE: usize = 4_096;

/// One record, as a line of the dump.
#[derive(Debug, Serialize)]
struct DumpLine<'a> {
    log: &'a LogId,
    position: u64,
    stream: &'a str,
    epoch: u64,
    version: u64,
    id: EventId,
    line: u64,
    data: [&'a str; 8],
    region: &'a RegionId,
}

/// Writes every record of a region's user logs, log by log, in the order of their positions: one
/// JSON object a line, with the region's name, since two regions at parity hold the same. Nothing is judged: id, stream and content are written as they are held.
///
/// # Errors
/// `Refused` (`in-use`) while the region runs; `Invalid` if there is no such store; `Corrupt` for a
/// payload that is no order line; `Stopped` if `out` cannot be written.
pub async fn dump(dir: &Path, region: &RegionId, out: &mut impl Write) -> Result<(), Error> {
    let no_store = |_| Error::invalid("no-store", format!("{region}: there is no store of it"));
    let home = Home::of_region(region).map_err(no_store)?;
    let stores = EventStores::of(dir, &[home]).await?;
    let store = stores.open(home).await?;
    let written = write_logs(&*store.store(), region, out).await;
    store.close().await;
    stores.close().await;
    written
}

async fn write_logs(store: &dyn EventSource, region: &RegionId, out: &mut impl Write) -> Result<(), Error> {
    for log in store.logs().await?.into_iter().filter(|log| !log.is_companion()) {
        let mut reader = store.open_reader(&log, ReadFrom::Start).await?;
        loop {
            let page = reader.next(PAGE, Duration::ZERO).await?;
            if page.is_empty() {
                break;
            }
            for placed in &page {
                write_record(&log, region, placed, out)?;
            }
        }
    }
    out.flush().map_err(|cause| unwritable(&cause))
}

fn write_record(log: &LogId, region: &RegionId, placed: &Placed, out: &mut impl Write) -> Result<(), Error> {
    let record = &placed.record;
    let line: OrderLine<'_> = serde_json::from_slice(&record.payload).map_err(|cause| {
        Error::corrupt("bad-order-line", format!("{log}: {}: event {}: {cause}", placed.position.rank(), record.id))
    })?;
    let dumped = DumpLine {
        log,
        position: placed.position.rank(),
        stream: record.stream.as_str(),
        epoch: record.epoch.get(),
        version: record.version.get(),
        id: record.id,
        line: line.number(),
        data: line.fields(),
        region,
    };
    serde_json::to_writer(&mut *out, &dumped).map_err(|cause| unwritable(&cause))?;
    out.write_all(b"\n").map_err(|cause| unwritable(&cause))
}

fn unwritable(cause: &dyn std::fmt::Display) -> Error {
    Error::stopped("dump-not-written", cause.to_string())
}

#[cfg(test)]
mod tests;

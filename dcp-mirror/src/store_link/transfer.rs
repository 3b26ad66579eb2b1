//! Copies some records of one log: read there, written here with the cursor.

use std::time::Duration;

use dcp_core::event::{Placed, Record};
use dcp_core::log::LogId;
use dcp_core::ports::{CopyBatch, EventSourceExt as _, EventWriter};
use dcp_core::position::LogIncarnation;
use dcp_core::{Error, ErrorKind, Failure};
use tokio_util::sync::CancellationToken;

use super::StoreLink;
use super::observe::{Missed, ask};
use super::work::{LogWork, open_after};
use crate::cursor::SourceCursor;
use crate::heartbeat::Heartbeat;
use crate::telemetry;

/// Why a log's turn ended early.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The source gave nothing.
    Missed(Missed),
    /// The mirror is not where the worker thought, or the outcome is unknown: read it again.
    Resume(String),
    /// The local store's own error.
    Local(Error),
}

impl Trouble {
    fn local(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Conflict | ErrorKind::Retry => Self::Resume(error.to_string()),
            _ => Self::Local(error),
        }
    }
}

/// What a turn did.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) copied: u64,
    pub(super) heartbeats: Vec<Heartbeat>,
    pub(super) ended: Result<(), Trouble>,
}

/// Copies at most `quota` records, and at least one if the source answers with any.
pub(super) async fn turn(
    link: &StoreLink,
    writer: &dyn EventWriter,
    interrupt: &CancellationToken,
    log: &LogId,
    work: &mut LogWork,
    incarnation: LogIncarnation,
    quota: u64,
) -> Turn {
    let mut turn = Turn { copied: 0, heartbeats: Vec::new(), ended: Ok(()) };
    turn.ended = async {
        let placed = read(link, interrupt, log, work, incarnation, quota).await.map_err(Trouble::Missed)?;
        if log.is_companion() {
            collect_heartbeats(link, log, &placed, &mut turn.heartbeats);
        }
        for batch in split(placed, link.settings.batch_bytes) {
            turn.copied += copy(link, writer, log, work, batch).await?;
        }
        Ok(())
    }
    .await;
    if turn.ended.is_err() {
        work.reader = None;
    }
    turn
}

async fn read(
    link: &StoreLink,
    interrupt: &CancellationToken,
    log: &LogId,
    work: &mut LogWork,
    incarnation: LogIncarnation,
    quota: u64,
) -> Result<Vec<Placed>, Missed> {
    let source = link.ports.source.as_ref();
    let mut reader = match work.reader.take() {
        Some(reader) => reader,
        None => ask(link, interrupt, open_after(source, log, work.cursor, work.applied.count)).await?,
    };
    let by_bytes = link.settings.batch_bytes.checked_div(work.mean_bytes).unwrap_or(usize::MAX).max(1);
    let limit = usize::try_from(quota).unwrap_or(usize::MAX).min(link.settings.batch_records).min(by_bytes);
    let placed = ask(link, interrupt, reader.next(limit, Duration::ZERO)).await?;
    if let Some(stray) = placed.iter().find(|placed| placed.position.incarnation() != incarnation) {
        let sentence = format!("{log}: read {}, expected incarnation {incarnation}", stray.position);
        return Err(Missed::Contradicts(Error::corrupt("other-incarnation", sentence)));
    }
    work.reader = Some(reader);
    Ok(placed)
}

/// Copies one batch with its cursor, in one commit.
async fn copy(
    link: &StoreLink,
    writer: &dyn EventWriter,
    log: &LogId,
    work: &mut LogWork,
    batch: Vec<Placed>,
) -> Result<u64, Trouble> {
    let Some(last) = batch.last() else { return Ok(0) };
    let copied = batch.len() as u64;
    let local_before = work.local_last.filter(|_| log.is_companion());
    let cursor = SourceCursor { position: last.position, count: work.applied.count + copied, local_before };
    work.mean_bytes = batch.iter().map(|placed| size(&placed.record)).sum::<usize>() / batch.len();
    let records = batch.into_iter().map(|placed| placed.record).collect();
    let stored = cursor.to_cursor(work.name.clone()).map_err(Trouble::Local)?;
    let request = CopyBatch::new(log.clone(), work.applied, records).with_cursor(stored);
    let applied = writer.copy(request).await.map_err(|failure| match failure {
        Failure::InDoubt(doubt) => Trouble::Resume(doubt.to_string()),
        Failure::NotApplied(error) => Trouble::local(error),
    })?;
    if applied.count != cursor.count {
        let sentence = format!("{log}: {} records after a batch that should have made {}", applied.count, cursor.count);
        return Err(Trouble::Local(Error::corrupt("miscounted-copy", sentence)));
    }
    work.applied = applied;
    work.cursor = Some(cursor);
    if log.is_companion() {
        work.local_last = link.ports.local.end(log).await.map_err(Trouble::local)?.last;
    }
    tracing::debug!(
        target: telemetry::TARGET, link = %link.settings.id, %log, records = copied, count = applied.count,
        "{}", telemetry::BATCH_COPIED
    );
    Ok(copied)
}

/// Batches of at most `bytes`, each of at least one record.
fn split(placed: Vec<Placed>, bytes: usize) -> Vec<Vec<Placed>> {
    let mut batches = Vec::new();
    let (mut batch, mut held) = (Vec::with_capacity(placed.len()), 0_usize);
    for placed in placed {
        let size = size(&placed.record);
        if !batch.is_empty() && held + size > bytes {
            batches.push(std::mem::take(&mut batch));
            held = 0;
        }
        held += size;
        batch.push(placed);
    }
    batches.push(batch);
    batches
}

fn size(record: &Record) -> usize {
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let key = record.key.as_ref().map_or(0, |key| key.len());
    record.payload.len() + key + headers + record.stream.as_str().len() + record.event_type.len()
}

fn collect_heartbeats(link: &StoreLink, log: &LogId, placed: &[Placed], found: &mut Vec<Heartbeat>) {
    for placed in placed {
        match Heartbeat::of_record(&placed.record) {
            Ok(heartbeat) => found.push(heartbeat),
            Err(cause) => tracing::warn!(
                target: telemetry::TARGET, link = %link.settings.id, %log, %cause, "{}", telemetry::HEARTBEAT_REFUSED
            ),
        }
    }
}

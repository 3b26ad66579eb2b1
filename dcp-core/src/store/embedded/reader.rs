//! A reading session on one log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::lookup;
use super::tables::{CHUNKS, LOGS};
use crate::embedded::StoreFile;
use crate::error::Error;
use crate::event::Placed;
use crate::log::LogId;
use crate::ports::event_store::EventReader;
use crate::position::{LogIncarnation, Position};

/// Bytes of chunks that one call reads at most, beyond the chunk that passes it.
const READ_MAX_BYTES: usize = 256 << 10;

/// Reads chunk by chunk. What a chunk held beyond the asked limit is kept for the next call.
#[derive(Debug)]
pub(crate) struct EmbeddedReader {
    file: Arc<StoreFile>,
    log: LogId,
    incarnation: LogIncarnation,
    /// Ordinal of the last record that was decoded.
    decoded: u64,
    ready: VecDeque<Placed>,
    grown: watch::Receiver<()>,
}

impl EmbeddedReader {
    pub(crate) fn new(
        file: Arc<StoreFile>,
        log: LogId,
        incarnation: LogIncarnation,
        after: u64,
        grown: watch::Receiver<()>,
    ) -> Self {
        Self { file, log, incarnation, decoded: after, ready: VecDeque::new(), grown }
    }

    /// Takes what there is, without waiting. No await between reading and handing over, so that a
    /// dropped call loses nothing.
    fn take(&mut self, limit: usize) -> Result<Vec<Placed>, Error> {
        if self.ready.is_empty() {
            self.refill(limit)?;
        }
        let count = limit.min(self.ready.len());
        Ok(self.ready.drain(..count).collect())
    }

    fn refill(&mut self, limit: usize) -> Result<(), Error> {
        let (log, incarnation, next) = (&self.log, self.incarnation, self.decoded + 1);
        let mut ready = VecDeque::new();
        self.file.read(|transaction| {
            let Some(row) = lookup::row(&transaction.open_table(LOGS)?, log)? else { return Ok(()) };
            if row.prefix.count < next {
                return Ok(());
            }
            // A chunk is decoded to its end even beyond the limit: it was read anyway.
            let mut full_at = None;
            lookup::records_from(&transaction.open_table(CHUNKS)?, row.number, next, |ordinal, record, bytes| {
                if full_at.is_some_and(|full_at| bytes > full_at) {
                    return false;
                }
                ready.push_back(Placed { position: Position::from_store(incarnation, ordinal), record });
                if ready.len() >= limit || bytes >= READ_MAX_BYTES {
                    full_at.get_or_insert(bytes);
                }
                true
            })
        })?;
        self.decoded = ready.back().map_or(self.decoded, |last: &Placed| last.position.rank());
        self.ready = ready;
        Ok(())
    }

    async fn wait_for_records(&mut self, limit: usize) -> Result<Vec<Placed>, Error> {
        loop {
            // Marked as seen before reading: a commit after this wakes the wait below.
            self.grown.borrow_and_update();
            let records = self.take(limit)?;
            if !records.is_empty() {
                return Ok(records);
            }
            if self.grown.changed().await.is_err() {
                // The store's thread has ended; reading says why.
                self.take(limit)?;
                return Err(Error::stopped("store-closed", "the store was closed; open it again"));
            }
        }
    }
}

#[async_trait]
impl EventReader for EmbeddedReader {
    async fn next(&mut self, limit: usize, wait: Duration) -> Result<Vec<Placed>, Error> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        // Read once even if there is no time to wait.
        let there = self.take(limit)?;
        if !there.is_empty() || wait.is_zero() {
            return Ok(there);
        }
        tokio::time::timeout(wait, self.wait_for_records(limit)).await.unwrap_or_else(|_| Ok(Vec::new()))
    }
}

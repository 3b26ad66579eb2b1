//! The reading half of the store.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;

use super::reader::EmbeddedReader;
use super::tables::{CHUNKS, COUNTERS, CURSORS, LOGS, LogRow, RUNS, commit_sequence};
use super::{EmbeddedEventStore, lookup};
use crate::error::Error;
use crate::event::EventId;
use crate::fence::Fence;
use crate::ids::{CursorName, ScopeId};
use crate::log::LogId;
use crate::ports::event_store::{EventReader, EventSource, ReadFrom, Sighting, StoreIdentity};
use crate::position::{Cut, PrefixDigest};
use crate::store::admission::records_before;

/// Ids that are looked up before other tasks get their turn.
const IDS_PER_TURN: usize = 256;

#[async_trait]
impl EventSource for EmbeddedEventStore {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        let commit_sequence = self.file.read(|transaction| commit_sequence(&transaction.open_table(COUNTERS)?))?;
        Ok(StoreIdentity { incarnation: self.incarnation, commit_sequence })
    }

    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error> {
        self.file.read(|transaction| {
            let table = transaction.open_table(LOGS)?;
            let mut cut = Cut::new();
            for log in logs {
                let row = lookup::row(&table, log)?;
                cut.insert(log.clone(), LogRow::end_of(row.as_ref(), self.incarnation));
            }
            Ok(cut)
        })
    }

    async fn logs(&self) -> Result<Vec<LogId>, Error> {
        let all = self.file.read(|transaction| lookup::all_logs(&transaction.open_table(LOGS)?))?;
        // A log that was only fenced holds nothing.
        Ok(all.into_iter().filter(|(_, row)| row.prefix.count > 0).map(|(log, _)| log).collect())
    }

    async fn fence(&self, log: &LogId) -> Result<Fence, Error> {
        let row = self.file.read(|transaction| lookup::row(&transaction.open_table(LOGS)?, log))?;
        Ok(row.map(|row| row.fence).unwrap_or_default())
    }

    async fn prefix(&self, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        self.file.read(|transaction| match lookup::row(&transaction.open_table(LOGS)?, log)? {
            Some(row) => lookup::prefix(&transaction.open_table(CHUNKS)?, &row, count),
            None => Ok((count == 0).then_some(PrefixDigest::EMPTY)),
        })
    }

    async fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Result<Vec<Sighting>, Error> {
        let mut found = Vec::new();
        for ids in ids.chunks(IDS_PER_TURN) {
            let ids: BTreeSet<EventId> = ids.iter().copied().collect();
            found.extend(self.file.read(|transaction| {
                let (runs, chunks) = (transaction.open_table(RUNS)?, transaction.open_table(CHUNKS)?);
                let mut found = Vec::new();
                for (log, row) in lookup::partition_logs(&transaction.open_table(LOGS)?, scope, partition)? {
                    found.extend(lookup::sightings(&runs, &chunks, (&log, &row), self.incarnation, &ids)?);
                }
                Ok(found)
            })?);
            tokio::task::yield_now().await;
        }
        Ok(found)
    }

    async fn cursor(&self, name: &CursorName) -> Result<Option<Bytes>, Error> {
        self.file.read(|transaction| {
            let cursors = transaction.open_table(CURSORS)?;
            let value = cursors.get(name.as_str())?;
            Ok(value.map(|value| Bytes::copy_from_slice(value.value())))
        })
    }

    async fn open_reader(&self, log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error> {
        let row = self.file.read(|transaction| lookup::row(&transaction.open_table(LOGS)?, log))?;
        let after = records_before(log, &LogRow::end_of(row.as_ref(), self.incarnation), from)?;
        let grown = self.wakers.subscribe(log);
        let file = std::sync::Arc::clone(&self.file);
        Ok(Box::new(EmbeddedReader::new(file, log.clone(), self.incarnation, after, grown)))
    }
}

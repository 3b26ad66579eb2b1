//! The journal as it was last read: its end, its driver, its runs.

use serde::{Deserialize, Serialize};

use super::append::Prepared;
use crate::digest::Digest;
use crate::error::Error;
use crate::ports::{Key, Revision, StateStore};
use crate::runbook::chain::{self, Anchor};
use crate::runbook::export::ExportLine;
use crate::runbook::lease::Seat;
use crate::runbook::run::Runs;

const ENTRIES: &str = "journal/entry/";
/// Entries per read of the store.
pub(super) const PAGE: usize = 100;

pub(super) fn head_key() -> Result<Key, Error> {
    Key::new("journal/head")
}

pub(super) fn entry_key(sequence: u64) -> Result<Key, Error> {
    Key::new(format!("{ENTRIES}{sequence:020}"))
}

/// The head as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub(super) end: Anchor,
    pub(super) seat: Option<Seat>,
}

/// Lines after a sequence, as they are stored.
pub(super) async fn page(store: &dyn StateStore, after: u64, limit: usize) -> Result<Vec<ExportLine>, Error> {
    let entries = store.scan(ENTRIES, Some(&entry_key(after)?), limit.min(PAGE)).await?;
    let mut lines = Vec::with_capacity(entries.len());
    for entry in entries {
        let line = ExportLine::from_json(&entry.value).map_err(|error| error.at(&entry.key))?;
        if entry_key(line.sequence)? != entry.key {
            let sentence = format!("journal entry {}: stored under {}", line.sequence, entry.key);
            return Err(Error::corrupt("journal-chain", sentence));
        }
        lines.push(line);
    }
    Ok(lines)
}

/// What was read, verified and folded so far.
#[derive(Debug)]
pub(super) struct Book {
    head: Head,
    revision: Option<Revision>,
    runs: Runs,
}

impl Book {
    pub(super) fn empty() -> Self {
        Self { head: Head { end: Anchor::EMPTY, seat: None }, revision: None, runs: Runs::default() }
    }

    pub(super) fn end(&self) -> Anchor {
        self.head.end
    }

    pub(super) fn seat(&self) -> Option<&Seat> {
        self.head.seat.as_ref()
    }

    pub(super) fn revision(&self) -> Option<Revision> {
        self.revision
    }

    pub(super) fn runs(&self) -> &Runs {
        &self.runs
    }

    /// The book after an append that took.
    pub(super) fn with(mut self, prepared: Prepared, revision: Revision) -> Self {
        self.head = prepared.head;
        self.revision = Some(revision);
        if let Some(next) = prepared.run {
            self.runs.put(next);
        }
        self
    }

    /// Reads, verifies and folds what was appended since.
    pub(super) async fn advance(&mut self, store: &dyn StateStore) -> Result<(), Error> {
        self.advance_noting(store, 0).await.map(|_| ())
    }

    /// As [`Book::advance`]; the hash of the entry `noted`, if it was passed.
    pub(super) async fn advance_noting(&mut self, store: &dyn StateStore, noted: u64) -> Result<Option<Digest>, Error> {
        let stored = store.read(&head_key()?).await?;
        let revision = stored.as_ref().map(|entry| entry.revision);
        if revision == self.revision && revision.is_some() {
            return Ok(None);
        }
        let head = match &stored {
            None => Head { end: Anchor::EMPTY, seat: None },
            Some(entry) => serde_json::from_slice(&entry.value)
                .map_err(|cause| Error::corrupt("journal-head", format!("journal head: {cause}")))?,
        };
        // The head was read first, so that every entry up to it is there.
        let mut found = None;
        let mut beyond = false;
        while !beyond {
            let lines = page(store, self.end().sequence, PAGE).await?;
            beyond = lines.len() < PAGE;
            for line in &lines {
                if self.end().sequence == head.end.sequence {
                    self.refuse_beyond(store, line, revision).await?;
                    beyond = true;
                    break;
                }
                self.pass(line)?;
                found = found.or((line.sequence == noted).then_some(line.hash));
            }
        }
        if self.end() != head.end {
            let (read, named) = (self.end().sequence, head.end.sequence);
            let sentence = format!("journal entry {}: missing, the head names entry {named}", read + 1);
            return Err(Error::corrupt("journal-cut", sentence));
        }
        self.head = head;
        self.revision = revision;
        Ok(found)
    }

    fn pass(&mut self, line: &ExportLine) -> Result<(), Error> {
        let (end, record) = chain::follow(&self.head.end, line)?;
        self.runs.take_in(&record.entry).map_err(|error| {
            Error::corrupt("journal-contradiction", format!("journal entry {}: {}", line.sequence, error.message()))
        })?;
        self.head.end = end;
        Ok(())
    }

    // An entry beyond the head that was read is lawful only if the head has moved since.
    async fn refuse_beyond(
        &self,
        store: &dyn StateStore,
        line: &ExportLine,
        read_at: Option<Revision>,
    ) -> Result<(), Error> {
        let now = store.read(&head_key()?).await?.map(|entry| entry.revision);
        if now == read_at {
            let sentence =
                format!("journal entry {}: beyond the head, which names {}", line.sequence, self.end().sequence);
            return Err(Error::corrupt("journal-inserted", sentence));
        }
        Ok(())
    }
}

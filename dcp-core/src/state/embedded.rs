//! A state store in one file of this machine.
//!
//! Durable, linearizable and for one process: a region whose control plane has replicas keeps its
//! state in a store that the replicas share. The file survives kills and full disks; it does not
//! survive its disk.

mod ledger;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::embedded::{Committer, Content, GroupCommit, StoreFile, Submitter};
use crate::error::{Error, Failure};
use crate::ids::RegionId;
use crate::ports::state_store::{Entry, Key, Revision, SCAN_MAX, StateStore, Transaction, Write};
use ledger::{ENTRIES, StateLedger};

/// Where an [`EmbeddedStateStore`] lives, and its bounds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EmbeddedStateSettings {
    /// The file; created if it is not there. Its directory must exist.
    pub path: PathBuf,
    /// The region whose state it is; another region's file is refused.
    pub region: RegionId,
    /// Bytes of pages held in memory; the process grows by about this much. 8 MiB by default.
    pub cache_bytes: usize,
    /// Bounds of a group commit.
    pub group: GroupCommit,
}

impl EmbeddedStateSettings {
    /// This file of this region, with the default bounds.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, region: RegionId) -> Self {
        Self { path: path.into(), region, cache_bytes: 8 << 20, group: GroupCommit::default() }
    }

    /// With another cache size.
    #[must_use]
    pub fn with_cache_bytes(mut self, cache_bytes: usize) -> Self {
        self.cache_bytes = cache_bytes;
        self
    }

    /// With other bounds of a group commit.
    #[must_use]
    pub fn with_group(mut self, group: GroupCommit) -> Self {
        self.group = group;
        self
    }

    fn content(&self) -> Content {
        Content { kind: "state", region: self.region.clone() }
    }
}

/// A [`StateStore`] in one redb file, with an owned thread that commits in groups.
///
/// Dropping it commits what waits, joins the thread and closes the file, which blocks for the time
/// of a commit; [`EmbeddedStateStore::close`] does the same without blocking the task.
#[derive(Debug)]
pub struct EmbeddedStateStore {
    file: Arc<StoreFile>,
    submitter: Submitter<StateLedger>,
    committer: Committer<StateLedger>,
}

impl EmbeddedStateStore {
    /// Opens the file, or creates it. Blocks for the time of opening (milliseconds).
    ///
    /// # Errors
    /// `Refused` (`in-use`) if the file is open elsewhere; `Corrupt` if it is damaged; `Invalid` if
    /// it belongs to another region or is not a state store; `Retry` if the disk fails or is full.
    pub fn open(settings: &EmbeddedStateSettings) -> Result<Self, Error> {
        let file = StoreFile::open(&settings.path, settings.cache_bytes, &settings.content(), ledger::create)?;
        Self::start(file, settings)
    }

    /// Opens a store over storage that is not a file, for tests that lose or limit it.
    ///
    /// # Errors
    /// As [`EmbeddedStateStore::open`].
    #[cfg(feature = "test-util")]
    pub fn open_on(settings: &EmbeddedStateSettings, storage: impl redb::StorageBackend) -> Result<Self, Error> {
        let file = StoreFile::open_on(storage, settings.cache_bytes, &settings.content(), ledger::create)?;
        Self::start(file, settings)
    }

    fn start(file: StoreFile, settings: &EmbeddedStateSettings) -> Result<Self, Error> {
        let file = Arc::new(file);
        let committer = Committer::start(Arc::clone(&file), settings.group, StateLedger)?;
        Ok(Self { file, submitter: committer.submitter(), committer })
    }

    /// Commits what waits, ends the thread and closes the file; every later call answers `Stopped`.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped, the store stays closing; closing or dropping it again does the rest.
    pub async fn close(&self) {
        self.committer.close().await;
    }
}

#[async_trait]
impl StateStore for EmbeddedStateStore {
    async fn read(&self, key: &Key) -> Result<Option<Entry>, Error> {
        self.file.read(|transaction| {
            let entries = transaction.open_table(ENTRIES)?;
            let found = entries.get(key.as_str())?;
            Ok(found.map(|row| {
                let (revision, value) = row.value();
                entry(key.clone(), revision, value)
            }))
        })
    }

    async fn scan(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error> {
        let limit = limit.min(SCAN_MAX);
        self.file.read(|transaction| ledger::scan(&transaction.open_table(ENTRIES)?, prefix, after, limit))
    }

    async fn commit(&self, transaction: Transaction) -> Result<Revision, Failure> {
        transaction.check().map_err(Failure::NotApplied)?;
        let bytes = transaction.writes.iter().map(size).sum();
        self.submitter.submit(transaction, bytes).await
    }
}

fn size(write: &Write) -> usize {
    match write {
        Write::Put(key, value) => key.as_str().len() + value.len(),
        Write::Delete(key) => key.as_str().len(),
    }
}

fn entry(key: Key, revision: u64, value: &[u8]) -> Entry {
    Entry { key, value: Bytes::copy_from_slice(value), revision: Revision::from_store(revision) }
}

//! A state store in memory.

mod image;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;

use self::image::StateImage;
use super::disk::{Disk, SyncHold};
use crate::error::{Error, Failure};
use crate::ports::state_store::{Entry, Key, Revision, StateStore, Transaction};

/// A [`StateStore`] in memory, for tests and simulation. Clones show one store.
///
/// Commits are serialised; each yields once between write and sync.
#[derive(Debug, Clone)]
pub struct MemoryStateStore {
    disk: Arc<Disk<StateImage>>,
}

/// What a [`MemoryStateStore`] held at one moment, as a backup would.
#[derive(Debug, Clone)]
pub struct StateBackup(StateImage);

#[cfg(feature = "test-util")]
impl StateBackup {
    /// The backup with the revision counted from its entries alone, for a planted defect.
    pub(crate) fn with_revision_of_its_entries(mut self) -> Self {
        self.0.count_revision_from_entries();
        self
    }
}

impl Default for MemoryStateStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStateStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self { disk: Arc::new(Disk::new(StateImage::default())) }
    }

    /// Loses what was not synced; calls answer `Stopped` until [`MemoryStateStore::reopen`].
    pub fn crash(&self) {
        self.disk.crash();
    }

    /// Opens on what was durable.
    pub fn reopen(&self) {
        self.disk.reopen();
    }

    /// Holds back every sync until the hold is dropped.
    pub fn hold_sync(&self) -> SyncHold {
        self.disk.hold_sync()
    }

    /// A copy of what is durable now.
    #[must_use]
    pub fn backup(&self) -> StateBackup {
        StateBackup(self.disk.backup())
    }

    /// Crashes and puts a backup in place of what was durable. Closed until
    /// [`MemoryStateStore::reopen`].
    pub fn restore(&self, backup: StateBackup) {
        self.disk.restore(backup.0);
    }
}

#[async_trait]
impl StateStore for MemoryStateStore {
    async fn read(&self, key: &Key) -> Result<Option<Entry>, Error> {
        self.disk.read(None, |image| image.entry(key))
    }

    async fn scan(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error> {
        self.disk.read(None, |image| image.scan(prefix, after, limit))
    }

    async fn commit(&self, transaction: Transaction) -> Result<Revision, Failure> {
        transaction.check().map_err(Failure::NotApplied)?;
        self.disk.commit(None, |image| image.decide(transaction)).await
    }
}

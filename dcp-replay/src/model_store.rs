//! Where rows, positions and marks are kept together.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::{Error, Failure};
use serde::{Deserialize, Serialize};

use crate::row::RowKey;

/// Most rows that one scan returns.
pub const SCAN_MAX_ROWS: usize = 10_000;

/// Number of a commit of a model store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelRevision(u64);

impl ModelRevision {
    /// For implementers of a store.
    #[must_use]
    pub const fn from_store(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ModelRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// New values of rows; none removes a row.
pub type Changes = BTreeMap<RowKey, Option<Bytes>>;

/// Rows with one atomic, conditional commit.
///
/// # Contract
/// - **K1** A commit takes effect as a whole or not at all, also across a crash, and an answered one
///   survives it. (Position and model are never apart.)
/// - **K2** A commit that does not name the last commit or claim is refused with
///   `NotApplied(Conflict)` and writes nothing. (A late child is fenced.)
/// - **K3** After a claim was answered, no commit that names an earlier revision takes effect, also
///   one whose outcome was in doubt.
/// - **K4** Reads and scans see every answered commit; a scan answers rows in the order of their keys,
///   as of one commit.
#[async_trait]
pub trait ModelStore: fmt::Debug + Send + Sync + 'static {
    /// Fences every earlier user of this store and answers the revision to commit after.
    ///
    /// # Errors
    /// `NotApplied(Conflict)` if another claimed at the same time; `InDoubt`: claim again.
    ///
    /// # Cancel safety
    /// A dropped call is in doubt: claim again.
    async fn claim(&self) -> Result<ModelRevision, Failure>;

    /// Values of these rows, in the order asked.
    ///
    /// # Errors
    /// `Retry`, `Corrupt` or `Stopped`, as their kinds say.
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn read(&self, keys: &[RowKey]) -> Result<Vec<Option<Bytes>>, Error>;

    /// Rows whose keys begin with `prefix`, after `after` if given. `limit` is cut to
    /// [`SCAN_MAX_ROWS`]; fewer rows than asked mean that there are no more.
    ///
    /// # Errors
    /// As [`ModelStore::read`].
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn scan(&self, prefix: &[u8], after: Option<&RowKey>, limit: usize) -> Result<Vec<(RowKey, Bytes)>, Error>;

    /// Commits changes after the named commit.
    ///
    /// # Errors
    /// `NotApplied(Conflict)` if another has committed or claimed since; `NotApplied(Refused)` if
    /// the model is full; `InDoubt`: claim again and read.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call is in doubt.
    async fn commit(&self, after: ModelRevision, changes: Changes) -> Result<ModelRevision, Failure>;
}

#[async_trait]
impl<T: ModelStore + ?Sized> ModelStore for Arc<T> {
    async fn claim(&self) -> Result<ModelRevision, Failure> {
        (**self).claim().await
    }
    async fn read(&self, keys: &[RowKey]) -> Result<Vec<Option<Bytes>>, Error> {
        (**self).read(keys).await
    }
    async fn scan(&self, prefix: &[u8], after: Option<&RowKey>, limit: usize) -> Result<Vec<(RowKey, Bytes)>, Error> {
        (**self).scan(prefix, after, limit).await
    }
    async fn commit(&self, after: ModelRevision, changes: Changes) -> Result<ModelRevision, Failure> {
        (**self).commit(after, changes).await
    }
}

/// All rows with a prefix, page by page.
///
/// # Errors
/// As [`ModelStore::scan`].
pub(crate) async fn scan_all(store: &dyn ModelStore, prefix: &[u8]) -> Result<Vec<(RowKey, Bytes)>, Error> {
    let mut rows: Vec<(RowKey, Bytes)> = Vec::new();
    loop {
        let page = store.scan(prefix, rows.last().map(|(key, _)| key), SCAN_MAX_ROWS).await?;
        let complete = page.len() < SCAN_MAX_ROWS;
        rows.extend(page);
        if complete {
            return Ok(rows);
        }
    }
}

//! Crashes at named moments: the drive stands still there, and the test drops it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::error::{Error, Failure};
use crate::ports::{Entry, Failpoints, Key, Revision, StateStore, Transaction};

/// Failpoints that stand still at one point of one step.
#[derive(Debug)]
pub struct CrashAt {
    point: &'static str,
    detail: String,
    reached: Notify,
}

impl CrashAt {
    /// Stands still at this point of this step.
    #[must_use]
    pub fn new(point: &'static str, detail: &str) -> Arc<Self> {
        Arc::new(Self { point, detail: detail.to_owned(), reached: Notify::new() })
    }

    /// Never stands still.
    #[must_use]
    pub fn nowhere() -> Arc<Self> {
        Self::new("", "")
    }

    /// Returns once the moment is reached.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }
}

#[async_trait]
impl Failpoints for CrashAt {
    async fn pass(&self, point: &'static str, detail: &str) {
        if point == self.point && detail == self.detail {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

/// On which side of a commit to stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Moment {
    /// The commit has not reached the store.
    BeforeCommit,
    /// The commit is durable and not answered.
    AfterCommit,
    /// The commit is durable and answered as in doubt; nothing stands still.
    InDoubt,
}

/// A store that stands still at one of its commits.
pub struct CrashingStore {
    inner: Arc<dyn StateStore>,
    left: AtomicUsize,
    moment: Moment,
    reached: Notify,
}

impl fmt::Debug for CrashingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrashingStore").field("moment", &self.moment).finish_non_exhaustive()
    }
}

impl CrashingStore {
    /// Stands still at the commit after `commits` others.
    #[must_use]
    pub fn new(inner: Arc<dyn StateStore>, commits: usize, moment: Moment) -> Arc<Self> {
        Arc::new(Self { inner, left: AtomicUsize::new(commits), moment, reached: Notify::new() })
    }

    /// Returns once the moment is reached.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }
}

#[async_trait]
impl StateStore for CrashingStore {
    async fn read(&self, key: &Key) -> Result<Option<Entry>, Error> {
        self.inner.read(key).await
    }

    async fn scan(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error> {
        self.inner.scan(prefix, after, limit).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Revision, Failure> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        // The count stays at zero, but only the first commit that finds it there is hit.
        if left.is_ok() || self.left.swap(usize::MAX, Ordering::SeqCst) != 0 {
            return self.inner.commit(transaction).await;
        }
        if self.moment == Moment::BeforeCommit {
            self.reached.notify_one();
            return std::future::pending().await;
        }
        let revision = self.inner.commit(transaction).await?;
        if self.moment == Moment::InDoubt {
            return Err(Failure::in_doubt("answer-lost", format!("the answer to commit {revision} was lost")));
        }
        self.reached.notify_one();
        std::future::pending().await
    }
}

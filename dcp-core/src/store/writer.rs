//! A writing session: what every store asks of a batch before it hands it over.

use std::fmt;
use std::future::Future;

use async_trait::async_trait;

use super::append::{check_copy_batch, check_owner_batch};
use super::work::{Done, Work};
use crate::error::{Error, Failure};
use crate::log::LogId;
use crate::ports::event_store::{Appended, CopyBatch, EventWriter, OwnerBatch, WriterRole};
use crate::position::PrefixDigest;

/// How a store is handed a session's batch.
pub(crate) trait Submits: fmt::Debug + Send + Sync + 'static {
    /// Writes the batch to the log, or says that this session was [not opened](not_opened) on it. The
    /// answer is of the kind that was asked.
    fn submit(&self, log: &LogId, work: Work) -> impl Future<Output = Result<Done, Failure>> + Send;
}

/// A writing session in one role.
#[derive(Debug)]
pub(crate) struct Writer<S> {
    mirror: bool,
    session: S,
}

impl<S: Submits> Writer<S> {
    pub(crate) fn new(role: &WriterRole, session: S) -> Self {
        Self { mirror: matches!(role, WriterRole::Mirror(_)), session }
    }
}

/// This session was not opened on the log.
pub(crate) fn not_opened(log: &LogId) -> Failure {
    refused("log-not-opened", format!("{log}: this writer was not opened on it"))
}

fn refused(code: &'static str, message: impl Into<String>) -> Failure {
    Failure::NotApplied(Error::refused(code, message))
}

/// Another question was answered than was asked: what was done is not known.
fn mismatched(done: &Done) -> Failure {
    Failure::in_doubt("answer-mismatch", format!("the store answered {done:?}"))
}

#[async_trait]
impl<S: Submits> EventWriter for Writer<S> {
    async fn append(&self, batch: OwnerBatch) -> Result<Appended, Failure> {
        if self.mirror {
            return Err(refused("mirror-appends", "a mirror copies and never appends"));
        }
        check_owner_batch(&batch).map_err(Failure::NotApplied)?;
        let log = batch.log.clone();
        match self.session.submit(&log, Work::Append(batch)).await? {
            Done::Appended(appended) => Ok(appended),
            other @ Done::Copied(_) => Err(mismatched(&other)),
        }
    }

    async fn copy(&self, batch: CopyBatch) -> Result<PrefixDigest, Failure> {
        if !self.mirror {
            return Err(refused("owner-copies", "only a mirror copies"));
        }
        check_copy_batch(&batch).map_err(Failure::NotApplied)?;
        let log = batch.log.clone();
        match self.session.submit(&log, Work::Copy(batch)).await? {
            Done::Copied(prefix) => Ok(prefix),
            other @ Done::Appended(_) => Err(mismatched(&other)),
        }
    }
}

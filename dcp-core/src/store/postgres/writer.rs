//! A writing session.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::group::Asked;
use super::log_writer::LogWriter;
use crate::error::{Error, Failure};
use crate::log::LogId;
use crate::ports::event_store::{Appended, CopyBatch, EventWriter, OwnerBatch, WriterRole};
use crate::position::PrefixDigest;
use crate::store::append::{check_copy_batch, check_owner_batch};
use crate::store::lanes::{Lane, LaneTasks};
use crate::store::work::{Done, Work};

#[derive(Debug)]
pub(super) struct PostgresWriter {
    pub(super) tasks: Arc<LaneTasks>,
    pub(super) session: Uuid,
    pub(super) role: Arc<WriterRole>,
    pub(super) lanes: BTreeMap<LogId, Arc<Lane<LogWriter>>>,
}

impl PostgresWriter {
    async fn submit(&self, log: &LogId, work: Work) -> Result<Done, Failure> {
        let asked = Asked { session: self.session, role: Arc::clone(&self.role), work };
        match self.lanes.get(log) {
            Some(lane) => lane.submit(&self.tasks, asked).await,
            None => Err(refused("log-not-opened", format!("{log}: this writer was not opened on it"))),
        }
    }

    fn is_mirror(&self) -> bool {
        matches!(*self.role, WriterRole::Mirror(_))
    }
}

fn refused(code: &'static str, message: impl Into<String>) -> Failure {
    Failure::NotApplied(Error::refused(code, message))
}

#[async_trait]
impl EventWriter for PostgresWriter {
    async fn append(&self, batch: OwnerBatch) -> Result<Appended, Failure> {
        if self.is_mirror() {
            return Err(refused("mirror-appends", "a mirror copies and never appends"));
        }
        check_owner_batch(&batch).map_err(Failure::NotApplied)?;
        let log = batch.log.clone();
        match self.submit(&log, Work::Append(batch)).await? {
            Done::Appended(appended) => Ok(appended),
            other @ Done::Copied(_) => Err(mismatched(&other)),
        }
    }

    async fn copy(&self, batch: CopyBatch) -> Result<PrefixDigest, Failure> {
        if !self.is_mirror() {
            return Err(refused("owner-copies", "only a mirror copies"));
        }
        check_copy_batch(&batch).map_err(Failure::NotApplied)?;
        let log = batch.log.clone();
        match self.submit(&log, Work::Copy(batch)).await? {
            Done::Copied(prefix) => Ok(prefix),
            other @ Done::Appended(_) => Err(mismatched(&other)),
        }
    }
}

fn mismatched(done: &Done) -> Failure {
    Failure::in_doubt("answer-mismatch", format!("the store answered {done:?}"))
}

//! A writing session.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::log_writer::LogWriter;
use crate::error::{Error, Failure};
use crate::log::LogId;
use crate::ports::event_store::{Appended, CopyBatch, EventWriter, OwnerBatch};
use crate::position::PrefixDigest;
use crate::store::append::{check_copy_batch, check_owner_batch};
use crate::store::lanes::{Lane, LaneTasks};
use crate::store::work::{Done, Work};

#[derive(Debug)]
pub(super) struct KafkaWriter {
    pub(super) tasks: Arc<LaneTasks>,
    pub(super) mirror: bool,
    pub(super) lanes: BTreeMap<LogId, Arc<Lane<LogWriter>>>,
}

impl KafkaWriter {
    async fn submit(&self, log: &LogId, work: Work) -> Result<Done, Failure> {
        match self.lanes.get(log) {
            Some(lane) => lane.submit(&self.tasks, work).await,
            None => Err(refused("log-not-opened", format!("{log}: this writer was not opened on it"))),
        }
    }
}

fn refused(code: &'static str, message: impl Into<String>) -> Failure {
    Failure::NotApplied(Error::refused(code, message))
}

#[async_trait]
impl EventWriter for KafkaWriter {
    async fn append(&self, batch: OwnerBatch) -> Result<Appended, Failure> {
        if self.mirror {
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
        if !self.mirror {
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

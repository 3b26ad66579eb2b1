//! A writing session.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::ledger::{Answer, EventLedger, Request, Session};
use crate::embedded::Submitter;
use crate::error::{Error, Failure};
use crate::log::LogId;
use crate::ports::event_store::{Appended, CopyBatch, EventWriter, OwnerBatch, WriterRole};
use crate::position::PrefixDigest;
use crate::store::append::{check_copy_batch, check_owner_batch};

/// What a record takes beside its variable parts, roughly.
const RECORD_BYTES: usize = 64;

/// Submits batches under the session that its opening was given.
#[derive(Debug)]
pub(crate) struct EmbeddedWriter {
    submitter: Submitter<EventLedger>,
    session: Session,
    role: Arc<WriterRole>,
    logs: BTreeSet<LogId>,
}

impl EmbeddedWriter {
    pub(crate) fn new(
        submitter: Submitter<EventLedger>,
        session: Session,
        role: WriterRole,
        logs: BTreeSet<LogId>,
    ) -> Self {
        Self { submitter, session, role: Arc::new(role), logs }
    }

    fn check_log(&self, log: &LogId) -> Result<(), Failure> {
        if self.logs.contains(log) {
            return Ok(());
        }
        Err(refused("log-not-opened", format!("{log}: this writer was not opened on it")))
    }

    fn is_mirror(&self) -> bool {
        matches!(*self.role, WriterRole::Mirror(_))
    }
}

fn refused(code: &'static str, message: impl Into<String>) -> Failure {
    Failure::NotApplied(Error::refused(code, message))
}

#[async_trait]
impl EventWriter for EmbeddedWriter {
    async fn append(&self, batch: OwnerBatch) -> Result<Appended, Failure> {
        if self.is_mirror() {
            return Err(refused("mirror-appends", "a mirror copies and never appends"));
        }
        self.check_log(&batch.log)?;
        check_owner_batch(&batch).map_err(Failure::NotApplied)?;
        let bytes = batch
            .events
            .iter()
            .map(|event| size(event.stream.as_str(), event.key.as_ref(), &event.payload, &event.headers))
            .sum();
        let request = Request::Append { session: self.session, role: Arc::clone(&self.role), batch };
        match self.submitter.submit(request, bytes).await? {
            Answer::Appended(appended) => Ok(appended),
            other => Err(mismatched(&other)),
        }
    }

    async fn copy(&self, batch: CopyBatch) -> Result<PrefixDigest, Failure> {
        if !self.is_mirror() {
            return Err(refused("owner-copies", "only a mirror copies"));
        }
        self.check_log(&batch.log)?;
        check_copy_batch(&batch).map_err(Failure::NotApplied)?;
        let bytes = batch
            .records
            .iter()
            .map(|record| size(record.stream.as_str(), record.key.as_ref(), &record.payload, &record.headers))
            .sum();
        let request = Request::Copy { session: self.session, batch };
        match self.submitter.submit(request, bytes).await? {
            Answer::Copied(prefix) => Ok(prefix),
            other => Err(mismatched(&other)),
        }
    }
}

fn size(stream: &str, key: Option<&Bytes>, payload: &Bytes, headers: &[(String, Bytes)]) -> usize {
    let headers: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    RECORD_BYTES + stream.len() + key.map_or(0, Bytes::len) + payload.len() + headers
}

/// The thread answered another question than was asked: what it did is not known.
pub(crate) fn mismatched(answer: &Answer) -> Failure {
    Failure::in_doubt("answer-mismatch", format!("the store's thread answered {answer:?}"))
}

//! A writing session.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::ledger::{Answer, EventLedger, Request, Session};
use crate::embedded::Submitter;
use crate::error::Failure;
use crate::log::LogId;
use crate::ports::event_store::WriterRole;
use crate::store::work::{Done, Work};
use crate::store::writer::{Submits, not_opened};

/// What a record takes beside its variable parts, roughly.
const RECORD_BYTES: usize = 64;

/// Submits batches under the session that its opening was given.
#[derive(Debug)]
pub(super) struct EmbeddedSession {
    pub(super) submitter: Submitter<EventLedger>,
    pub(super) session: Session,
    pub(super) role: Arc<WriterRole>,
    pub(super) logs: BTreeSet<LogId>,
}

impl Submits for EmbeddedSession {
    async fn submit(&self, log: &LogId, work: Work) -> Result<Done, Failure> {
        if !self.logs.contains(log) {
            return Err(not_opened(log));
        }
        let bytes = bytes(&work);
        let request = match work {
            Work::Append(batch) => Request::Append { session: self.session, role: Arc::clone(&self.role), batch },
            Work::Copy(batch) => Request::Copy { session: self.session, batch },
        };
        match self.submitter.submit(request, bytes).await? {
            Answer::Appended(appended) => Ok(Done::Appended(appended)),
            Answer::Copied(prefix) => Ok(Done::Copied(prefix)),
            other @ (Answer::Opened(_) | Answer::Sealed(_)) => Err(mismatched(&other)),
        }
    }
}

fn bytes(work: &Work) -> usize {
    match work {
        Work::Append(batch) => batch
            .events
            .iter()
            .map(|event| size(event.stream.as_str(), event.key.as_ref(), &event.payload, &event.headers))
            .sum(),
        Work::Copy(batch) => batch
            .records
            .iter()
            .map(|record| size(record.stream.as_str(), record.key.as_ref(), &record.payload, &record.headers))
            .sum(),
    }
}

fn size(stream: &str, key: Option<&Bytes>, payload: &Bytes, headers: &[(String, Bytes)]) -> usize {
    let headers: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    RECORD_BYTES + stream.len() + key.map_or(0, Bytes::len) + payload.len() + headers
}

/// The thread answered another question than was asked: what it did is not known.
pub(super) fn mismatched(answer: &Answer) -> Failure {
    Failure::in_doubt("answer-mismatch", format!("the store's thread answered {answer:?}"))
}

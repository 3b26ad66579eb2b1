//! Answers that come after the deadline: they are not counted, and kept as evidence.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use dcp_core::clock::{Clock, Moment};
use dcp_core::error::Failure;
use dcp_core::log::LogId;
use dcp_core::ownership::Epoch;
use dcp_core::ports::Appended;
use tokio::task::JoinSet;

use super::super::evidence::{EvidenceSender, LateAnswer, LateKind};

/// Most questions that are listened for at one time; one more is dropped, and leaves no evidence.
const LISTENED_MAX: usize = 64;

/// What was asked, and of whom: the origin of the log.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) log: LogId,
    pub(super) epoch: Epoch,
    /// First and last.
    pub(super) lines: (u64, u64),
    pub(super) sent: Moment,
}

/// Questions whose deadline has passed. Dropped, it no longer listens.
#[derive(Debug, Default)]
pub(super) struct LateAnswers(Mutex<JoinSet<()>>);

impl LateAnswers {
    /// Goes on listening for an answer.
    pub(super) fn listen(
        &self,
        question: Question,
        answer: impl Future<Output = Result<Appended, Failure>> + Send + 'static,
        stamps: Arc<dyn Clock>,
        evidence: EvidenceSender,
    ) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        if tasks.len() >= LISTENED_MAX {
            return;
        }
        tasks.spawn(async move {
            let late = question.answered(answer.await, stamps.now());
            if let Err(error) = evidence.late(&late).await {
                tracing::warn!(%error, "a late answer was not noted");
            }
        });
    }
}

impl Question {
    fn answered(self, answer: Result<Appended, Failure>, at: Moment) -> LateAnswer {
        let (answer, code) = match answer {
            Ok(_) => (LateKind::Acknowledged, None),
            Err(Failure::NotApplied(error)) => (LateKind::NotApplied, Some(error.code().to_owned())),
            Err(Failure::InDoubt(doubt)) => (LateKind::InDoubt, Some(doubt.code().to_owned())),
        };
        LateAnswer {
            by: self.log.origin().clone(),
            log: self.log,
            epoch: self.epoch,
            lines: self.lines,
            sent_ns: self.sent.as_nanos(),
            at_ns: at.as_nanos(),
            answer,
            code,
        }
    }
}

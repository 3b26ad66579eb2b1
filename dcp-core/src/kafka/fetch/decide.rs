//! What a leader's answer about one partition means. Pure.

use super::{FetchFrom, FetchedPartition};
use crate::error::{Error, ErrorKind};
use crate::kafka::client::LOOKS_MAX;
use crate::kafka::refusal::{Refusal, Step};

/// A leader's answer about one partition.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) refusal: Option<Refusal>,
    /// Where the log went another way.
    pub(super) diverged: Option<i64>,
    pub(super) found: FetchedPartition,
}

/// What follows from it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Done(Result<FetchedPartition, Error>),
    Again { why: Error, relearn: bool },
}

const FENCED_EPOCH: i16 = 74;
const UNKNOWN_EPOCH: i16 = 76;

/// `known` is the leader epoch in the metadata, and `failed` how often the call was tried before.
pub(super) fn next(from: &FetchFrom, answer: Answer, known: Option<i32>, failed: u32) -> Next {
    let at = &from.partition;
    if let Some(refusal) = answer.refusal {
        return refused(from, &refusal, known, failed);
    }
    if let Some(end) = answer.diverged {
        let text = format!("{at}: the log went another way from offset {end} on; keep both and compare them");
        return Next::Done(Err(Error::corrupt("log-diverged", text)));
    }
    Next::Done(Ok(answer.found))
}

fn refused(from: &FetchFrom, refusal: &Refusal, known: Option<i32>, failed: u32) -> Next {
    let at = &from.partition;
    let error = refusal.error(at);
    match (refusal.code, from.current_leader_epoch, known) {
        (FENCED_EPOCH, ..) => Next::Done(Err(error)),
        // Once the metadata are fresh: a leader epoch never falls, except in a topic that was made anew.
        (UNKNOWN_EPOCH, Some(asked), Some(known)) if known < asked && failed + 1 >= LOOKS_MAX => {
            let text = format!("{at}: leader epoch {known} is below {asked}: the topic was made anew");
            Next::Done(Err(Error::corrupt("topic-recreated", text)))
        }
        _ if refusal.step() == Step::Stop => Next::Done(Err(error)),
        _ if error.code() == "no-topic" => lacking(error, failed),
        _ => Next::Again { why: error, relearn: refusal.step() == Step::Relearn },
    }
}

/// A partition of which no leader is known; one that is not there is looked for a few times.
pub(super) fn lacking(error: Error, failed: u32) -> Next {
    if error.kind() == ErrorKind::Retry || failed + 1 < LOOKS_MAX {
        return Next::Again { why: Error::retry("no-leader", error.message()), relearn: true };
    }
    Next::Done(Err(error))
}

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
const UNKNOWN_EPOCH: i16 = 75;

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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::kafka::topic::TopicPartition;

    fn answer(code: i16, diverged: Option<i64>) -> Answer {
        let found = FetchedPartition {
            records: Bytes::from_static(b"records"),
            log_start: Some(0),
            last_stable: 3,
            high_watermark: 4,
            aborted: Vec::new(),
        };
        Answer { refusal: Refusal::check(code, None).err(), diverged, found }
    }

    fn from() -> FetchFrom {
        FetchFrom::new(TopicPartition::new("orders", 0), 3).with_current_leader_epoch(5)
    }

    fn code(next: Next) -> Option<(ErrorKind, String)> {
        match next {
            Next::Done(Err(error)) => Some((error.kind(), error.code().to_owned())),
            Next::Done(Ok(_)) | Next::Again { .. } => None,
        }
    }

    #[test]
    fn records_and_a_log_that_went_another_way() {
        assert!(matches!(next(&from(), answer(0, None), Some(5), 0), Next::Done(Ok(_))));
        let diverged = code(next(&from(), answer(0, Some(2)), Some(5), 0));
        assert_eq!(diverged, Some((ErrorKind::Corrupt, "log-diverged".to_owned())));
        let gone = code(next(&from(), answer(1, None), Some(5), 0));
        assert_eq!(gone, Some((ErrorKind::Corrupt, "offset-out-of-range".to_owned())));
    }

    #[test]
    fn a_leader_epoch_that_rose_is_a_conflict_and_one_that_fell_another_topic() {
        let moved = code(next(&from(), answer(FENCED_EPOCH, None), Some(6), 0));
        assert_eq!(moved, Some((ErrorKind::Conflict, "leader-moved".to_owned())));
        for (known, failed, expected) in [
            (Some(4), LOOKS_MAX, Some((ErrorKind::Corrupt, "topic-recreated".to_owned()))),
            // The metadata may be old, or the broker behind them.
            (Some(4), 0, None),
            (Some(5), LOOKS_MAX, None),
            (None, LOOKS_MAX, None),
        ] {
            assert_eq!(code(next(&from(), answer(UNKNOWN_EPOCH, None), known, failed)), expected, "{known:?} {failed}");
        }
    }

    #[test]
    fn a_leader_that_moved_is_learnt_anew_and_a_topic_looked_for_a_few_times() {
        let again = next(&from(), answer(6, None), Some(5), 40);
        assert!(matches!(again, Next::Again { relearn: true, .. }), "{again:?}");
        assert!(matches!(next(&from(), answer(3, None), None, 0), Next::Again { relearn: true, .. }));
        let gone = code(next(&from(), answer(3, None), None, LOOKS_MAX));
        assert_eq!(gone, Some((ErrorKind::Invalid, "no-topic".to_owned())));
    }
}

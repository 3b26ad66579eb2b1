//! What a call without a usable answer means. Pure.

use crate::error::{Error, Failure};

/// Why there is no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// It is certain that no byte of the request was sent.
    NotSent(String),
    /// The request may have left, and no whole answer came in time.
    Unknown(String),
    /// The answer is not from one of our servers.
    Stranger(String),
    /// One of our servers answered what this side cannot read.
    Unreadable(String),
}

impl Lost {
    /// For a read: nothing can have happened. An answer that contradicts itself stops the reader.
    pub(super) fn of_read(self, place: String) -> Error {
        match self {
            Self::NotSent(cause) => Error::retry("not-reached", cause),
            Self::Unknown(cause) => Error::retry("no-answer", cause),
            Self::Stranger(cause) => Error::retry("stranger-answered", cause),
            Self::Unreadable(cause) => Error::corrupt("unreadable-answer", cause),
        }
        .at(place)
    }

    /// For an effect: unknown, unless it is certain that nothing was sent.
    pub(super) fn of_effect(self, place: String) -> Failure {
        match self {
            Self::NotSent(cause) => Failure::NotApplied(Error::retry("not-reached", cause).at(place)),
            Self::Unknown(cause) => Failure::in_doubt("no-answer", format!("{place}: {cause}")),
            Self::Stranger(cause) => Failure::in_doubt("stranger-answered", format!("{place}: {cause}")),
            Self::Unreadable(cause) => Failure::in_doubt("unreadable-answer", format!("{place}: {cause}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Lost;
    use crate::error::ErrorKind;

    #[test]
    fn only_what_was_certainly_not_sent_is_not_applied() {
        let cause = || "cause".to_owned();
        let failure = Lost::NotSent(cause()).of_effect("here".to_owned());
        assert_eq!(failure.not_applied().map(crate::Error::kind), Some(ErrorKind::Retry));
        for lost in [Lost::Unknown(cause()), Lost::Stranger(cause()), Lost::Unreadable(cause())] {
            assert!(lost.of_effect("here".to_owned()).is_in_doubt());
        }
    }
}

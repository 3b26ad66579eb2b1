//! The driver's lease: who may append to the journal. Pure.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::fence::Term;
use crate::signed::Signer;

/// The driver that the journal's head names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seat {
    pub(crate) term: Term,
    /// Sequence of its `DriverTaken` entry: tells apart two drivers of one term.
    pub(crate) taken: u64,
}

/// The right to append, until another driver takes it. Comes from [`Journal::take`](super::Journal::take).
#[derive(Debug, Clone)]
pub struct DriverLease {
    pub(crate) seat: Seat,
    pub(crate) signer: Arc<Signer>,
}

impl DriverLease {
    /// The term under which it was taken.
    #[must_use]
    pub fn term(&self) -> &Term {
        &self.seat.term
    }
}

/// Whether `taking` may take the seat over from `present`.
///
/// A driver of an equal term and holder takes over from itself, and the earlier one is fenced.
pub(crate) fn judge_take(present: Option<&Seat>, taking: &Term) -> Result<(), Error> {
    let Some(Seat { term: present, .. }) = present else { return Ok(()) };
    if present.issuer != taking.issuer {
        return Err(Error::refused(
            "journal-of-another",
            format!("this journal is driven by {}; {} keeps its own", present.issuer, taking.issuer),
        ));
    }
    let same = present.revision == taking.revision && present.holder == taking.holder;
    if taking.revision > present.revision || same {
        return Ok(());
    }
    Err(Error::fenced(
        "older-driver",
        format!(
            "{} of revision {} drives this journal; {} has revision {}: campaign again",
            present.holder, present.revision, taking.holder, taking.revision
        ),
    ))
}

/// Whether the holder of `lease` may append to a head that names `present`.
pub(crate) fn judge_append(present: Option<&Seat>, lease: &Seat) -> Result<(), Error> {
    if present == Some(lease) {
        return Ok(());
    }
    let by = present
        .map_or_else(|| "nobody".to_owned(), |seat| format!("{} of revision {}", seat.term.holder, seat.term.revision));
    Err(Error::fenced(
        "driver-replaced",
        format!(
            "this journal is driven by {by}, no longer by {} of revision {}: stop driving",
            lease.term.holder, lease.term.revision
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{HolderId, RegionId};

    fn term(issuer: &str, holder: &str, revision: u64) -> Term {
        Term { issuer: RegionId::new(issuer).unwrap(), holder: HolderId::new(holder).unwrap(), revision }
    }

    #[test]
    fn only_a_newer_term_of_the_same_region_takes_over() {
        let seat = Seat { term: term("c", "a", 5), taken: 1 };
        assert!(judge_take(None, &term("c", "a", 1)).is_ok());
        assert!(judge_take(Some(&seat), &term("c", "b", 6)).is_ok());
        assert!(judge_take(Some(&seat), &term("c", "a", 5)).is_ok());
        assert_eq!(judge_take(Some(&seat), &term("c", "b", 5)).unwrap_err().code(), "older-driver");
        assert_eq!(judge_take(Some(&seat), &term("c", "b", 4)).unwrap_err().code(), "older-driver");
        assert_eq!(judge_take(Some(&seat), &term("w", "b", 9)).unwrap_err().code(), "journal-of-another");
    }

    #[test]
    fn an_earlier_driver_of_an_equal_term_is_fenced() {
        let first = Seat { term: term("c", "a", 5), taken: 1 };
        let second = Seat { term: term("c", "a", 5), taken: 9 };
        assert!(judge_append(Some(&second), &second).is_ok());
        assert_eq!(judge_append(Some(&second), &first).unwrap_err().code(), "driver-replaced");
        assert_eq!(judge_append(None, &first).unwrap_err().code(), "driver-replaced");
    }
}

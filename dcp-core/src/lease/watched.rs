//! Another region's lease, timed over the silence that was observed. Pure.

use super::{Challenge, ChallengeState, LeaseTerms};
use crate::clock::Moment;

/// One answered reading of a lease at the witness, timed on the reader's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct LeaseSight {
    /// The commit that wrote the lease.
    pub revision: u64,
    /// Its sequence.
    pub sequence: u64,
    /// When the reading was sent.
    pub asked: Moment,
    /// When its answer had arrived.
    pub received: Moment,
}

/// Another region's lease, as one process has read it.
///
/// An owner can renew only while the witness answers. Silence therefore counts against it only
/// while this process saw the witness answer: where two answered readings lie further apart than
/// [`LeaseTerms::silence_gap`], the witness, the way to it or this process was away, and the count
/// starts again. After an outage of the witness both regions then have a whole time to live in
/// which to renew, and neither takes over a region that was never dark.
///
/// This costs a takeover up to one time to live after such a gap, and it decides nothing about
/// safety: the lease's own arithmetic and the conditional claim do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchedLease {
    challenge: Challenge,
    last: Option<LeaseSight>,
}

impl WatchedLease {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one answered reading; readings come in the order in which they were sent.
    pub fn read(&mut self, terms: &LeaseTerms, sight: LeaseSight) {
        self.challenge.observe(sight.revision, sight.sequence, sight.received);
        // From the sending of the one to the answer of the other: at no moment in between was the
        // witness away for longer.
        if let Some(last) = &self.last
            && sight.received.since(last.asked) > terms.silence_gap()
        {
            self.challenge.restart(sight.received);
        }
        self.last = Some(sight);
    }

    /// What may be concluded at `now`. What happened at the witness since the newest answered
    /// reading was sent is not known, and counts for nothing.
    #[must_use]
    pub fn state(&self, terms: &LeaseTerms, now: Moment) -> ChallengeState {
        self.last.map_or(ChallengeState::Unseen, |last| self.challenge.state(terms, now.min(last.asked)))
    }

    /// Sequence of the newest reading.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        self.last.map(|last| last.sequence)
    }
}

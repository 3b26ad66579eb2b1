//! Arithmetic of ownership leases. Pure: sending times and seen sequences in, validity out.

mod watched;

pub use watched::{LeaseSight, WatchedLease};

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::error::Error;

/// What an ownership lease is granted for, and by how much clocks may err.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseTerms {
    ttl_ms: u64,
    rate_error_ppm: u32,
    request_deadline_ms: u64,
}

impl LeaseTerms {
    /// The time to live that is recommended for production: 8 s.
    ///
    /// A takeover then begins within 8 s and the clocks' error of the last renewal, which leaves two
    /// seconds of a ten second target to claim and to open. An owner renews every 2 s; with a request
    /// deadline of up to 2 s its lease outlives two renewals in a row that are lost or late, such as
    /// by a slow disk or a restart of the witness. Shorter saves seconds in the rare takeover, and
    /// lets each such stall pause the writes of a sound region.
    pub const TTL: Duration = Duration::from_secs(8);

    /// Terms from the time to live, the bound on a clock's rate error in parts per million, and
    /// the deadline within which a client counts an answer.
    ///
    /// # Errors
    /// `Invalid` if the parts leave an owner less than half of the time to live.
    pub fn new(ttl: Duration, rate_error_ppm: u32, request_deadline: Duration) -> Result<Self, Error> {
        let terms = Self {
            ttl_ms: u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX),
            rate_error_ppm,
            request_deadline_ms: u64::try_from(request_deadline.as_millis()).unwrap_or(u64::MAX),
        };
        terms.check()?;
        Ok(terms)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let usable = self.ttl().saturating_sub(self.error()).saturating_sub(self.margin());
        if self.rate_error_ppm > 100_000 || usable < self.ttl() / 2 || self.ttl().is_zero() {
            return Err(Error::invalid(
                "bad-lease-terms",
                format!(
                    "lease: of {:?} the request deadline {:?} and the clock error leave {usable:?}; at least half must stay",
                    self.ttl(),
                    self.margin()
                ),
            ));
        }
        Ok(())
    }

    /// Time to live.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl_ms)
    }

    /// A client counts an answer only within this time of sending; a later one is in doubt.
    #[must_use]
    pub fn request_deadline(&self) -> Duration {
        Duration::from_millis(self.request_deadline_ms)
    }

    /// The bound on the rate error, as a fraction.
    #[must_use]
    pub fn rate_error(&self) -> f64 {
        f64::from(self.rate_error_ppm) / 1e6
    }

    fn error(&self) -> Duration {
        self.ttl().mul_f64(self.rate_error())
    }

    // An answer sent just before the lease runs out may be counted until a deadline after the
    // request was sent, which is before the answer was: so one deadline covers it.
    fn margin(&self) -> Duration {
        self.request_deadline()
    }

    /// How often an owner renews: a quarter of the time to live.
    #[must_use]
    pub fn renewal_interval(&self) -> Duration {
        self.ttl() / 4
    }

    /// Until when an owner may act on a renewal that it *sent* at `sent`: TTL(1-ρ) - margin later.
    #[must_use]
    pub fn valid_until(&self, sent: Moment) -> Moment {
        sent.after(self.ttl().saturating_sub(self.error()).saturating_sub(self.margin()))
    }

    /// How far two answered readings of a lease may lie apart for the silence between them to count
    /// against its owner: one renewal interval, on the slower of two clocks. Within it an owner that
    /// can reach the witness has begun to renew.
    #[must_use]
    pub fn silence_gap(&self) -> Duration {
        self.renewal_interval().mul_f64(1.0 + self.rate_error())
    }

    /// How long a challenger waits without seeing a new sequence: TTL(1+ρ).
    #[must_use]
    pub fn challenge_wait(&self) -> Duration {
        self.ttl() + self.error()
    }
}

/// What a challenger has seen of another region's lease, on its own clock, in this process's life.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Challenge {
    seen: Option<Seen>,
    renewals: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    revision: u64,
    sequence: u64,
    // When the answer that first showed this revision had arrived, or the count was started again:
    // never earlier than the renewal.
    at: Moment,
}

/// What a challenger may conclude.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChallengeState {
    /// No lease was seen yet.
    Unseen,
    /// The lease may still be held; ask again after this time.
    Running {
        /// Time left before it may be called run out.
        left: Duration,
    },
    /// No new sequence for TTL(1+ρ).
    RunOut {
        /// Revision on which a claim must be conditional.
        revision: u64,
        /// The last sequence seen.
        sequence: u64,
        /// How long since it was first seen, or since the count was started again.
        waited: Duration,
        /// Whether this process saw it renewed before: only then a plane may start by itself.
        saw_renewal: bool,
    },
}

impl Challenge {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one reading of the lease; `received` is when the answer had arrived.
    pub fn observe(&mut self, revision: u64, sequence: u64, received: Moment) {
        match &self.seen {
            Some(seen) if seen.revision == revision => {}
            previous => {
                if previous.as_ref().is_some_and(|seen| seen.sequence < sequence) {
                    self.renewals += 1;
                }
                self.seen = Some(Seen { revision, sequence, at: received });
            }
        }
    }

    /// Starts the count of the present revision again.
    fn restart(&mut self, received: Moment) {
        if let Some(seen) = &mut self.seen {
            seen.at = seen.at.max(received);
        }
    }

    /// What may be concluded at `now`.
    #[must_use]
    pub fn state(&self, terms: &LeaseTerms, now: Moment) -> ChallengeState {
        let Some(seen) = &self.seen else { return ChallengeState::Unseen };
        let waited = now.since(seen.at);
        match terms.challenge_wait().checked_sub(waited) {
            Some(left) if !left.is_zero() => ChallengeState::Running { left },
            _ => ChallengeState::RunOut {
                revision: seen.revision,
                sequence: seen.sequence,
                waited,
                saw_renewal: self.renewals > 0,
            },
        }
    }
}

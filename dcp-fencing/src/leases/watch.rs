//! The challenger's side of an ownership lease.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use dcp_core::Error;
use dcp_core::ErrorKind;
use dcp_core::clock::{Clock, Moment};
use dcp_core::ids::RegionId;
use dcp_core::lease::{Challenge, ChallengeState, LeaseTerms};
use dcp_core::ports::{LeaseReading, Witness};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

// Readings in one time to live; the takeover is later by at most the last one's wait.
const READINGS_PER_TTL: u32 = 10;

/// Watches a peer's lease at the witness and times it on this process's own clock.
pub struct LeaseWatch {
    peer: RegionId,
    witness: Arc<dyn Witness>,
    terms: LeaseTerms,
    clock: Arc<dyn Clock>,
    seen: Mutex<Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    challenge: Challenge,
    reading: Option<LeaseReading>,
    // When the last answered reading was sent.
    asked: Option<Moment>,
}

impl fmt::Debug for LeaseWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseWatch").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl LeaseWatch {
    /// A watch that has seen nothing yet. Does no I/O.
    #[must_use]
    pub fn new(peer: RegionId, witness: Arc<dyn Witness>, terms: LeaseTerms, clock: Arc<dyn Clock>) -> Self {
        Self { peer, witness, terms, clock, seen: Mutex::default() }
    }

    /// The region that is watched.
    #[must_use]
    pub fn peer(&self) -> &RegionId {
        &self.peer
    }

    /// Reads the lease once and takes it in.
    ///
    /// # Errors
    /// `Retry` if the witness cannot be reached: the time goes on, but is not called run out before
    /// the witness has been read again.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn poll_once(&self) -> Result<(), Error> {
        let asked = self.clock.now();
        let reading = self.witness.lease(&self.peer).await?;
        let received = self.clock.now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Of two readings under way at once, the one that was sent later stands.
        if seen.asked.is_some_and(|last| last > asked) {
            return Ok(());
        }
        seen.asked = Some(asked);
        if let Some(reading) = &reading {
            seen.challenge.observe(reading.revision, reading.sequence, received);
        }
        seen.reading = reading;
        Ok(())
    }

    /// What may be concluded at `now`. The lease is run out only if a reading that was *sent* after
    /// its time had passed still showed the same sequence: a challenger that cannot reach the
    /// witness concludes nothing, and is told to ask again at once.
    #[must_use]
    pub fn state(&self, now: Moment) -> ChallengeState {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let run_out = |at| matches!(seen.challenge.state(&self.terms, at), ChallengeState::RunOut { .. });
        if run_out(now) && !seen.asked.is_some_and(run_out) {
            return ChallengeState::Running { left: Duration::ZERO };
        }
        seen.challenge.state(&self.terms, now)
    }

    /// The last reading.
    #[must_use]
    pub fn reading(&self) -> Option<LeaseReading> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).reading.clone()
    }

    /// Reads the lease ten times in each time to live until `stop`.
    ///
    /// # Errors
    /// `Corrupt` if the witness's lease cannot be read at all. What may pass is tried again.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), Error> {
        let pause = self.terms.ttl() / READINGS_PER_TTL;
        loop {
            let deadline = self.clock.now().after(self.terms.ttl());
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                polled = self.poll_once() => match polled {
                    Err(error) if error.kind() == ErrorKind::Corrupt => return Err(error),
                    _ => {}
                },
                () = self.clock.sleep_until(deadline) => {}
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = self.clock.sleep(pause) => {}
            }
        }
    }
}

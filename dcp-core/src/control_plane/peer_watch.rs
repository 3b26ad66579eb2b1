//! Watches the ownership leases of the peers at the witness, on this machine's own clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Moment};
use crate::error::Error;
use crate::ids::RegionId;
use crate::lease::{Challenge, ChallengeState, LeaseTerms};
use crate::ports::witness::Witness;
use crate::recovery::PeerLeases;

/// What this process has seen of its peers' leases.
#[derive(Debug)]
pub struct PeerWatch {
    witness: Arc<dyn Witness>,
    clock: Arc<dyn Clock>,
    terms: LeaseTerms,
    seen: Mutex<BTreeMap<RegionId, Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    challenge: Challenge,
    sequence: Option<u64>,
    // When the newest reading was sent.
    asked: Option<Moment>,
}

impl Seen {
    // Run out only if a reading that was *sent* after the lease's time had passed still showed the
    // same sequence: a process that was stopped or cut off for that long has seen nothing, and
    // its first thought must not be that everyone else has died.
    fn state(&self, terms: &LeaseTerms, now: Moment) -> ChallengeState {
        let run_out = |at| matches!(self.challenge.state(terms, at), ChallengeState::RunOut { .. });
        if run_out(now) && !self.asked.is_some_and(run_out) {
            return ChallengeState::Running { left: Duration::ZERO };
        }
        self.challenge.state(terms, now)
    }
}

impl PeerWatch {
    /// Watches these regions.
    pub fn new(
        witness: Arc<dyn Witness>,
        clock: Arc<dyn Clock>,
        terms: LeaseTerms,
        peers: impl IntoIterator<Item = RegionId>,
    ) -> Self {
        let seen = peers.into_iter().map(|peer| (peer, Seen::default())).collect();
        Self { witness, clock, terms, seen: Mutex::new(seen) }
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<RegionId, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The regions that are watched.
    #[must_use]
    pub fn peers(&self) -> Vec<RegionId> {
        self.seen().keys().cloned().collect()
    }

    /// Reads every peer's lease once. A witness that does not answer changes nothing: the time
    /// goes on, and is not called run out before the witness was read again.
    pub async fn look(&self) {
        for peer in self.peers() {
            let asked = self.clock.now();
            match self.witness.lease(&peer).await {
                Ok(Some(reading)) => {
                    let received = self.clock.now();
                    if let Some(seen) = self.seen().get_mut(&peer) {
                        seen.challenge.observe(reading.revision, reading.sequence, received);
                        seen.sequence = Some(reading.sequence);
                        seen.asked = Some(asked);
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::debug!(%peer, %error, "the witness did not answer"),
            }
        }
    }

    /// Looks eight times per time to live, until stopped.
    ///
    /// # Errors
    /// None; it ends when stopped.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), Error> {
        let pause = self.terms.ttl() / 8;
        while !stop.is_cancelled() {
            self.look().await;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.clock.sleep(pause) => {}
            }
        }
        Ok(())
    }
}

impl PeerLeases for PeerWatch {
    fn state(&self, region: &RegionId, now: Moment) -> ChallengeState {
        self.seen().get(region).map_or(ChallengeState::Unseen, |seen| seen.state(&self.terms, now))
    }

    fn sequence(&self, region: &RegionId) -> Option<u64> {
        self.seen().get(region).and_then(|seen| seen.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_was_stopped_reads_again_before_it_calls_a_lease_run_out() {
        let terms = LeaseTerms::new(Duration::from_secs(1), 1_000, Duration::from_millis(250)).unwrap();
        let at = |ms: u64| Moment::from_nanos(ms * 1_000_000);
        let mut seen = Seen { asked: Some(at(90)), ..Seen::default() };
        seen.challenge.observe(7, 1, at(100));
        // It wakes ten seconds later: nothing was read in between.
        assert_eq!(seen.state(&terms, at(10_000)), ChallengeState::Running { left: Duration::ZERO });
        seen.asked = Some(at(10_001));
        seen.challenge.observe(7, 1, at(10_002));
        assert!(matches!(seen.state(&terms, at(10_003)), ChallengeState::RunOut { .. }));
    }
}

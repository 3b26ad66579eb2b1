//! Watches the ownership leases of the peers at the witness, on this machine's own clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
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
    // When the newest reading that was answered was sent: what happened at the witness since then
    // is not known, so that a watcher that was cut off concludes nothing from its own silence.
    asked: Moment,
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

    /// Reads every peer's lease once. A witness that does not answer changes nothing: what was
    /// seen ages on.
    pub async fn look(&self) {
        for peer in PeerLeases::peers(self) {
            let asked = self.clock.now();
            match self.witness.lease(&peer).await {
                Ok(Some(reading)) => {
                    let received = self.clock.now();
                    if let Some(seen) = self.seen().get_mut(&peer) {
                        seen.challenge.observe(reading.revision, reading.sequence, received);
                        seen.sequence = Some(reading.sequence);
                        seen.asked = asked;
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::debug!(%peer, %error, "the witness did not answer"),
            }
        }
    }
}

#[async_trait]
impl PeerLeases for PeerWatch {
    fn peers(&self) -> Vec<RegionId> {
        self.seen().keys().cloned().collect()
    }

    /// Looks eight times per time to live.
    async fn run(&self, stop: CancellationToken) -> Result<(), Error> {
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

    fn state(&self, region: &RegionId, now: Moment) -> ChallengeState {
        let at = |seen: &Seen| seen.challenge.state(&self.terms, now.min(seen.asked));
        self.seen().get(region).map_or(ChallengeState::Unseen, at)
    }

    fn sequence(&self, region: &RegionId) -> Option<u64> {
        self.seen().get(region).and_then(|seen| seen.sequence)
    }
}

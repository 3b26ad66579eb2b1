//! Watches the ownership leases of the peers at the witness, on this machine's own clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Moment};
use crate::error::Error;
use crate::ids::RegionId;
use crate::lease::{ChallengeState, LeaseSight, LeaseTerms, WatchedLease};
use crate::ports::witness::Witness;
use crate::recovery::PeerLeases;

/// What this process has seen of its peers' leases.
#[derive(Debug)]
pub struct PeerWatch {
    witness: Arc<dyn Witness>,
    clock: Arc<dyn Clock>,
    terms: LeaseTerms,
    seen: Mutex<BTreeMap<RegionId, WatchedLease>>,
}

impl PeerWatch {
    /// Watches these regions.
    pub fn new(
        witness: Arc<dyn Witness>,
        clock: Arc<dyn Clock>,
        terms: LeaseTerms,
        peers: impl IntoIterator<Item = RegionId>,
    ) -> Self {
        let seen = peers.into_iter().map(|peer| (peer, WatchedLease::new())).collect();
        Self { witness, clock, terms, seen: Mutex::new(seen) }
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<RegionId, WatchedLease>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads every peer's lease once. A witness that does not answer changes nothing, and the time
    /// in which it did not answer counts for nothing ([`WatchedLease`]).
    pub async fn look(&self) {
        for peer in PeerLeases::peers(self) {
            let asked = self.clock.now();
            match self.witness.lease(&peer).await {
                Ok(Some(reading)) => {
                    let received = self.clock.now();
                    let (revision, sequence) = (reading.revision, reading.sequence);
                    if let Some(seen) = self.seen().get_mut(&peer) {
                        seen.read(&self.terms, LeaseSight { revision, sequence, asked, received });
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

    /// Looks eight times per time to live, however long the answers take: two looks fit into the gap
    /// within which silence counts.
    async fn run(&self, stop: CancellationToken) -> Result<(), Error> {
        let pause = self.terms.ttl() / 8;
        while !stop.is_cancelled() {
            let next = self.clock.now().after(pause);
            self.look().await;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.clock.sleep_until(next) => {}
            }
        }
        Ok(())
    }

    fn state(&self, region: &RegionId, now: Moment) -> ChallengeState {
        self.seen().get(region).map_or(ChallengeState::Unseen, |seen| seen.state(&self.terms, now))
    }

    fn sequence(&self, region: &RegionId) -> Option<u64> {
        self.seen().get(region).and_then(WatchedLease::sequence)
    }
}

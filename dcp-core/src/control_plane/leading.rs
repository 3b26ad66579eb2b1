//! The leader's loop: campaign, take the journal, drive plans one at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::handle::{Ordered, PlaneStatus};
use super::pacing::{Automatic, short_pause};
use super::work::Work;
use crate::clock::Entropy;
use crate::error::{Error, ErrorKind, Failure};
use crate::fence::{FenceRank, Term};
use crate::operation::{Leadership, Mandate, SealReceipt};
use crate::ownership::Epoch;
use crate::ports::failpoints::Failpoints;
use crate::ports::leader_election::LeaderElection;
use crate::ports::state_store::StateStore;
use crate::position::Cut;
use crate::recovery::RecoveryParts;
use crate::runbook::{Driver, DriverParts, Journal};
use crate::tasks::TaskGroup;

#[derive(Debug)]
pub(super) struct Leading {
    pub(super) parts: Arc<RecoveryParts>,
    pub(super) state: Arc<dyn StateStore>,
    pub(super) election: Arc<dyn LeaderElection>,
    pub(super) entropy: Arc<dyn Entropy>,
    // For the names of runs.
    pub(super) drawn: [u8; 32],
    pub(super) failpoints: Arc<dyn Failpoints>,
    pub(super) queue: mpsc::Receiver<Ordered>,
    pub(super) publish: watch::Sender<PlaneStatus>,
    pub(super) automatic: Automatic,
    // Of the last term, while it may go on.
    pub(super) driver: Option<Driver>,
}

impl Leading {
    /// Leads again and again, until stopped. Whatever ends a leadership, the region's data path goes
    /// on: its slices stay open under their ownership leases.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Result<(), Error> {
        let mut failures = 0_u32;
        while !stop.is_cancelled() {
            let begun = self.parts.clock.now();
            let ended = self.one_term(&stop).await;
            self.parts.mandate.set(None);
            let trouble = ended.as_ref().err().map(ToString::to_string);
            self.publish.send_modify(|status| (status.term, status.trouble) = (None, trouble));
            if let Err(error) = ended {
                match error.kind() {
                    ErrorKind::Corrupt | ErrorKind::Invalid => {
                        tracing::error!(%error, "this plane cannot lead its region; keep the evidence");
                    }
                    _ => tracing::warn!(%error, "leadership ended"),
                }
            }
            // A leadership that lasted was none that failed.
            let lasted = self.parts.clock.now().since(begun) > self.parts.treaty.ttl();
            failures = if lasted { 1 } else { failures.saturating_add(1) };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.parts.clock.sleep(short_pause(failures)) => {}
            }
        }
        Ok(())
    }

    async fn one_term(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        let leadership = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            won = self.election.campaign() => won.map_err(decided_by_reading_again)?,
        };
        let term = leadership.term().clone();
        // A term that goes on has its driver already, and needs no new entry in the journal.
        let driver = match self.driver.take().filter(|driver| *driver.term() == term) {
            Some(driver) => driver,
            None => self.take_journal(&term).await?,
        };
        self.parts.mandate.set(Some(mandate(&self.parts, &leadership)?));
        self.publish.send_modify(|status| (status.term, status.trouble) = (Some(term.clone()), None));
        tracing::info!(region = %term.issuer, revision = term.revision, "leads its region");

        let mut renewing = TaskGroup::new(stop);
        let ended = renewing.stop_token();
        let (election, clock) = (Arc::clone(&self.election), Arc::clone(&self.parts.clock));
        let (pause, token) = (self.parts.treaty.lease().renewal_interval(), ended.clone());
        renewing.spawn("leader's lease", async move {
            while !token.is_cancelled() {
                election.renew(&leadership).await.or_else(unless_fenced)?;
                tokio::select! {
                    biased;
                    () = token.cancelled() => {}
                    () = clock.sleep(pause) => {}
                }
            }
            Ok(())
        });
        let drawn = self.drawn;
        let mut work = Work {
            parts: &self.parts,
            drawn: &drawn,
            publish: &self.publish,
            driver: &driver,
            automatic: &self.automatic,
            given_up: BTreeSet::new(),
            look_again: false,
        };
        let worked = work.run(&mut self.queue, &ended).await;
        let renewed = renewing.stop().await;
        let ended = worked.and(renewed);
        if !matches!(&ended, Err(error) if error.kind() == ErrorKind::Fenced) {
            self.driver = Some(driver);
        }
        ended
    }

    async fn take_journal(&self, term: &Term) -> Result<Driver, Error> {
        let journal = Journal::open(Arc::clone(&self.state), Arc::clone(&self.parts.clock)).await?;
        let parts = DriverParts {
            clock: Arc::clone(&self.parts.clock),
            entropy: Arc::clone(&self.entropy),
            failpoints: Arc::clone(&self.failpoints),
            signer: Arc::clone(&self.parts.signer),
        };
        Driver::take(Arc::new(journal), term.clone(), parts).await.map_err(decided_by_reading_again)
    }
}

// Nothing is concluded from either failure: what is done next begins with reading the leader's key or
// the journal, which hold the effect or do not, and each effect is bound to one term or one run.
pub(super) fn decided_by_reading_again(failure: Failure) -> Error {
    match failure {
        Failure::NotApplied(error) => error,
        Failure::InDoubt(doubt) => Error::retry("in-doubt", doubt.to_string()),
    }
}

// A renewal that was not answered is sent again; only the word that another leads ends the term.
fn unless_fenced(failure: Failure) -> Result<(), Error> {
    match failure {
        Failure::NotApplied(error) if error.kind() == ErrorKind::Fenced => Err(error),
        _ => Ok(()),
    }
}

// Taking the journal's driver lease is the seal on what the plane steers in its own region: links
// and projections take orders only under a term that drives the journal.
fn mandate(parts: &RecoveryParts, leadership: &Leadership) -> Result<Mandate, Error> {
    let term = leadership.term();
    let receipt = SealReceipt {
        resource: RecoveryParts::plane_resource(&parts.region)?,
        rank: FenceRank { epoch: Epoch::NONE, issuer: term.issuer.clone(), revision: term.revision },
        ends: Cut::new(),
    };
    Ok(Mandate::new(leadership.clone()).with_receipt(receipt))
}

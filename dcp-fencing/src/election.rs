//! Election of one leader among a region's control planes, over its state store.
//!
//! The term's revision is the number of the store's commit that took the leader's key, as etcd's
//! create revision is. A counter in the process, as often shown, is a bug: two processes both give
//! out 1, and equality passes a "not lower" test, so that nothing is fenced; a process that starts
//! again starts again at 1 and is locked out by its own earlier fence.

mod decide;
mod record;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use dcp_core::clock::{Clock, Entropy, Moment};
use dcp_core::digest::Digest;
use dcp_core::fence::Term;
use dcp_core::ids::{HolderId, RegionId};
use dcp_core::lease::{Challenge, LeaseTerms};
use dcp_core::operation::Leadership;
use dcp_core::ports::{Key, LeaderElection, StateStore, Transaction};
use dcp_core::{Error, ErrorKind, Failure};

use self::decide::{Move, next_move};
use self::record::{Leader, LeaderRecord};
use crate::telemetry;

// Attempts in a row that the store may leave unanswered before the caller hears of it.
const FAILURES_MAX: u32 = 3;

/// An election over a [`StateStore`]: one key per region, `election/<region>/leader`, with a lease
/// that the challenger times on its own clock by the renewal sequence. No wall clock is compared.
///
/// A holder id names one process at a time: two processes under one id take the key from each
/// other without end.
#[derive(Debug)]
pub struct StateStoreElection {
    region: RegionId,
    holder: HolderId,
    key: Key,
    store: Arc<dyn StateStore>,
    terms: LeaseTerms,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    valid_until: Mutex<Option<(u64, Moment)>>,
}

impl StateStoreElection {
    /// An election of `holder` in `region`. Does no I/O.
    ///
    /// # Errors
    /// `Invalid` if the region's name is too long for a key.
    pub fn new(
        region: RegionId,
        holder: HolderId,
        store: Arc<dyn StateStore>,
        terms: LeaseTerms,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Error> {
        let key = record::key(&region)?;
        Ok(Self { region, holder, key, store, terms, clock, entropy, valid_until: Mutex::new(None) })
    }

    /// Until when no challenger can have taken this leadership, counted from the sending of the
    /// last renewal that was answered; none if this process does not hold it. It saves wasted work;
    /// safety is the guards'.
    #[must_use]
    pub fn valid_until(&self, leadership: &Leadership) -> Option<Moment> {
        let valid = *self.valid_until.lock().unwrap_or_else(PoisonError::into_inner);
        valid.filter(|(revision, _)| *revision == leadership.term().revision).map(|(_, until)| until)
    }

    fn answered(&self, term: u64, sent: Moment) {
        let until = self.terms.valid_until(sent);
        *self.valid_until.lock().unwrap_or_else(PoisonError::into_inner) = Some((term, until));
    }

    fn lost(&self) {
        *self.valid_until.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn renew_once(&self, leadership: &Leadership) -> Result<(), Failure> {
        let leader = self.leader().await.map_err(Failure::NotApplied)?;
        let ours = leader.filter(|leader| leader.term(&self.region) == *leadership.term());
        let Some(leader) = ours else {
            self.lost();
            return Err(Failure::NotApplied(Error::fenced(
                "term-over",
                format!("{}: term {} is over; stop acting under it", self.key, leadership.term().revision),
            )));
        };
        let sent = self.clock.now();
        self.put(Some(&leader), &leader.renewed()).await?;
        self.answered(leadership.term().revision, sent);
        Ok(())
    }

    async fn leader(&self) -> Result<Option<Leader>, Error> {
        self.store.read(&self.key).await?.as_ref().map(Leader::read).transpose()
    }

    // Writes the key only if it is as it was read.
    async fn put(&self, read: Option<&Leader>, next: &LeaderRecord) -> Result<(), Failure> {
        let value = next.to_value().map_err(Failure::NotApplied)?;
        let transaction = match read {
            None => Transaction::new().absent(self.key.clone()),
            Some(leader) => Transaction::new().at(self.key.clone(), leader.revision),
        };
        self.store.commit(transaction.put(self.key.clone(), value)).await.map(|_| ())
    }

    // One look and one move. Answers the leadership, or how long to wait before the next look.
    async fn step(&self, nonce: &Digest, challenge: &mut Challenge) -> Result<Result<Leadership, Duration>, Failure> {
        let leader = self.leader().await.map_err(Failure::NotApplied)?;
        let now = self.clock.now();
        if let Some(leader) = &leader {
            challenge.observe(leader.revision.get(), leader.record.sequence, now);
        }
        match (next_move(&self.holder, nonce, leader.as_ref(), challenge, &self.terms, now), leader) {
            (Move::Confirm, Some(leader)) => {
                let sent = self.clock.now();
                self.put(Some(&leader), &leader.renewed()).await?;
                let term = leader.term(&self.region);
                self.answered(term.revision, sent);
                tracing::info!(event = telemetry::LEADER_ELECTED, region = %self.region, holder = %self.holder, term = term.revision);
                Ok(Ok(Leadership::confirmed(term)))
            }
            (Move::Wait(left), _) => Ok(Err(left.min(self.terms.renewal_interval()))),
            (Move::Take | Move::Confirm, leader) => {
                self.put(leader.as_ref(), &LeaderRecord::taking(self.holder.clone(), *nonce)).await?;
                Ok(Err(Duration::ZERO))
            }
        }
    }
}

#[async_trait]
impl LeaderElection for StateStoreElection {
    async fn campaign(&self) -> Result<Leadership, Failure> {
        let nonce = Digest::from_bytes(self.entropy.draw());
        let mut challenge = Challenge::new();
        let (mut failures, mut doubted) = (0, false);
        loop {
            let pause = match self.step(&nonce, &mut challenge).await {
                Ok(Ok(leadership)) => return Ok(leadership),
                Ok(Err(pause)) => {
                    failures = 0;
                    pause
                }
                // Another challenger moved first, or a commit of ours that was in doubt has landed.
                Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Conflict => Duration::ZERO,
                Err(failure) => {
                    doubted |= failure.is_in_doubt();
                    failures += 1;
                    let retry = failure.not_applied().is_none_or(|error| error.kind() == ErrorKind::Retry);
                    if failures >= FAILURES_MAX || !retry {
                        return Err(if doubted && !failure.is_in_doubt() {
                            Failure::in_doubt("campaign-in-doubt", format!("{}: {failure}", self.key))
                        } else {
                            failure
                        });
                    }
                    self.terms.renewal_interval() / 4
                }
            };
            if !pause.is_zero() {
                self.clock.sleep(pause).await;
            }
        }
    }

    async fn renew(&self, leadership: &Leadership) -> Result<(), Failure> {
        let mut failures = 0;
        loop {
            failures += 1;
            match self.renew_once(leadership).await {
                // Either the key is another's now, or an earlier renewal of ours has landed: read again.
                Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Conflict && failures < FAILURES_MAX => {}
                outcome => return outcome,
            }
        }
    }

    async fn current(&self) -> Result<Option<Term>, Error> {
        Ok(self.leader().await?.map(|leader| leader.term(&self.region)))
    }
}

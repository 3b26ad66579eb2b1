//! Ownership leases: the owner's side.

mod heartbeat;
mod held;
mod marks;

pub use heartbeat::{BeforeRenewal, NoHeartbeat, StoreHistory};

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use dcp_core::clock::{Clock, Entropy, Moment};
use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::lease::LeaseTerms;
use dcp_core::ownership::{Epoch, WriteGrant};
use dcp_core::ports::{Kept, LeaseHoldings, LeaseReading, LeaseRenewal, OwnershipLease, Shown, StateStore, Witness};
use dcp_core::{Error, ErrorKind, Failure};
use tokio::sync::watch as channel;
use tokio_util::sync::CancellationToken;

use self::held::Holdings;
use self::marks::StateMarks;
use crate::telemetry;

// A renewal that met another commit of this region's is sent again, with a new sending time.
const ATTEMPTS_MAX: u32 = 3;

/// A region's ownership leases: renewed together, checked by guards at every append.
///
/// Nothing is valid until a renewal was answered in this process's life. Validity counts from the
/// *sending* of the renewal, so that the time on the way is never counted twice; an unanswered
/// renewal prolongs nothing.
///
/// Each renewal shows that both stores of the region are those of the last one and have gone on
/// since: the event store by the prefixes that it held then, the state store by the mark that was
/// drawn then. Where one cannot, every lease is suspended and stays so until an operator readmits
/// the region at the witness.
pub struct OwnershipLeases {
    region: RegionId,
    witness: Arc<dyn Witness>,
    terms: LeaseTerms,
    clock: Arc<dyn Clock>,
    before: Arc<dyn BeforeRenewal>,
    marks: StateMarks,
    // The lease as the witness last answered it; none until it was read or renewed.
    last: Mutex<Option<Last>>,
    holdings: Mutex<Holdings>,
    held: channel::Sender<BTreeMap<SliceRef, WriteGrant>>,
    trouble: channel::Sender<Option<Failure>>,
    // One renewal at a time: two under way would fail each other's condition.
    turn: tokio::sync::Mutex<()>,
}

// The witness's lease, or that it has none.
type Last = Option<LeaseReading>;

impl fmt::Debug for OwnershipLeases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnershipLeases").field("region", &self.region).finish_non_exhaustive()
    }
}

impl OwnershipLeases {
    /// Leases of `region`, none held yet. Does no I/O.
    ///
    /// `state` is the region's state store, the one that holds its fences and releases; `entropy`
    /// draws the marks in it, and must never draw alike after a restart.
    #[must_use]
    pub fn new(
        region: RegionId,
        witness: Arc<dyn Witness>,
        terms: LeaseTerms,
        clock: Arc<dyn Clock>,
        before: Arc<dyn BeforeRenewal>,
        state: Arc<dyn StateStore>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            region,
            witness,
            terms,
            clock,
            before,
            marks: StateMarks::new(state, entropy),
            last: Mutex::default(),
            holdings: Mutex::default(),
            held: channel::Sender::new(BTreeMap::new()),
            trouble: channel::Sender::new(None),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    fn holdings(&self) -> MutexGuard<'_, Holdings> {
        self.holdings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a slice after a claim, or at a start; valid once a renewal that names it was answered.
    /// A grant older than the one held is ignored.
    ///
    /// # Errors
    /// `Refused` if the grant is another region's.
    pub fn adopt(&self, grant: WriteGrant) -> Result<(), Error> {
        if grant.owner != self.region {
            return Err(Error::refused(
                "not-owner",
                format!("{}: {} owns epoch {}, not {}", grant.slice, grant.owner, grant.epoch, self.region),
            ));
        }
        self.holdings().adopt(grant);
        self.publish();
        Ok(())
    }

    /// Gives a slice up at once: before it is handed over, or when a record of another owner was seen.
    pub fn release(&self, slice: &SliceRef) {
        self.holdings().release(slice);
        self.publish();
    }

    /// The grants that are valid, as they change: open a slice's guard when it appears here, close
    /// it when it goes. Validity by time is [`OwnershipLease::check`]'s; this follows it while
    /// [`OwnershipLeases::run`] runs.
    #[must_use]
    pub fn held(&self) -> channel::Receiver<BTreeMap<SliceRef, WriteGrant>> {
        self.held.subscribe()
    }

    /// Why the last renewal did not count; none if it did.
    #[must_use]
    pub fn trouble(&self) -> channel::Receiver<Option<Failure>> {
        self.trouble.subscribe()
    }

    fn publish(&self) {
        // The receiver's value is replaced under the holdings' lock, so that the last one published
        // is the newest.
        let holdings = self.holdings();
        let valid = holdings.valid(self.clock.now());
        self.held.send_if_modified(|held| {
            let changed = *held != valid;
            *held = valid;
            changed
        });
    }

    /// Makes the heartbeat durable and sends one renewal of everything adopted.
    ///
    /// `Fenced`: the chains were read, and slices that another owns, or whose chain could not be
    /// read, were dropped or suspended before this answers; what is left is renewed by the next call.
    ///
    /// # Errors
    /// `NotApplied(Fenced)` as above. `NotApplied(Refused)` (`store-went-back`): everything is
    /// closed; so it is with `state-went-back`, and both stay until an operator readmits the region.
    /// `NotApplied(Retry)`, `InDoubt`: renew again; nothing was prolonged.
    ///
    /// # Cancel safety
    /// A dropped call prolongs nothing; its renewal is in doubt.
    pub async fn renew_once(&self) -> Result<LeaseReading, Failure> {
        let _turn = self.turn.lock().await;
        let outcome = self.renew_as_often_as_it_conflicts().await;
        if let Err(Failure::NotApplied(error)) = &outcome {
            match error.kind() {
                ErrorKind::Fenced => self.drop_what_was_lost().await,
                ErrorKind::Refused => self.suspend_all(),
                _ => {}
            }
        }
        self.publish();
        self.report(outcome.as_ref().err());
        outcome
    }

    async fn renew_as_often_as_it_conflicts(&self) -> Result<LeaseReading, Failure> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let was_known = self.last().is_some();
            match self.attempt().await {
                Err(Failure::NotApplied(error)) if attempts < ATTEMPTS_MAX && may_be_outdated(&error, was_known) => {
                    *self.last() = None;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt(&self) -> Result<LeaseReading, Failure> {
        let last = self.last_answered().await.map_err(Failure::NotApplied)?;
        let remembered = last.as_ref().and_then(LeaseReading::remembered).cloned().unwrap_or_default();
        let held = self.holdings().valid(self.clock.now());
        let history = self.before.before_renewal(&held, &remembered.prefixes).await.map_err(Failure::NotApplied)?;
        let marks = self.marks.present(&self.region, remembered.mark).await.map_err(Failure::NotApplied)?;
        let shown = Shown::new(last.map(|last| last.sequence), history.shown, marks.shown);
        let renewal = LeaseRenewal::new(self.region.clone(), self.holdings().epochs(), history.store)
            .with_continuity(Kept::new(history.kept, Some(marks.sent)), shown);
        let sent = self.clock.now();
        let reading = self.witness.renew(&renewal).await?;
        *self.last() = Some(Some(reading.clone()));
        self.holdings().renewed(&renewal.slices, self.terms.valid_until(sent));
        Ok(reading)
    }

    fn last(&self) -> MutexGuard<'_, Option<Last>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // Asked of the witness at the first renewal, and where it may have moved; in between, what the
    // last renewal was answered with is enough, so that a renewal is one round trip.
    async fn last_answered(&self) -> Result<Last, Error> {
        if let Some(last) = self.last().clone() {
            return Ok(last);
        }
        let read = self.witness.lease(&self.region).await?;
        *self.last() = Some(read.clone());
        Ok(read)
    }

    async fn drop_what_was_lost(&self) {
        let adopted = self.holdings().epochs();
        for (slice, epoch) in adopted {
            match self.witness.ownership(&slice).await {
                Ok(Some(head)) if head.owner == self.region && head.epoch == epoch => {}
                Ok(_) => {
                    self.holdings().lost(&slice, epoch);
                    tracing::warn!(event = telemetry::SLICE_LOST, region = %self.region, %slice, %epoch);
                }
                // It may be this one: closed until a renewal that names it is answered.
                Err(_) => self.holdings().suspend(&slice),
            }
        }
    }

    fn suspend_all(&self) {
        let mut holdings = self.holdings();
        for slice in holdings.epochs().keys() {
            holdings.suspend(slice);
        }
    }

    fn report(&self, failure: Option<&Failure>) {
        if let Some(failure) = failure {
            tracing::warn!(event = telemetry::RENEWAL_FAILED, region = %self.region, %failure);
        }
        self.trouble.send_if_modified(|trouble| {
            let changed = trouble.as_ref() != failure;
            *trouble = failure.cloned();
            changed
        });
    }

    /// Renews every quarter of the time to live, each renewal with that quarter as its deadline,
    /// and takes slices out of [`OwnershipLeases::held`] when their time has run out.
    ///
    /// # Errors
    /// None of its own: a renewal that fails is tried again and shows in
    /// [`OwnershipLeases::trouble`].
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), Error> {
        let interval = self.terms.renewal_interval();
        loop {
            let next = self.clock.now().after(interval);
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                _ = self.renew_once() => {}
                () = self.clock.sleep_until(next) => self.report(Some(&Failure::in_doubt(
                    "renewal-unanswered",
                    format!("{}: no answer within {interval:?}; nothing is prolonged", self.region),
                ))),
            }
            if !self.pause(next, &stop).await {
                return Ok(());
            }
        }
    }

    // Until the next renewal; wakes when a lease runs out, to say so. False: stopped.
    async fn pause(&self, next: Moment, stop: &CancellationToken) -> bool {
        loop {
            self.publish();
            let now = self.clock.now();
            if now >= next {
                return true;
            }
            let wake = self.holdings().first_end(now).map_or(next, |end| end.min(next));
            tokio::select! {
                biased;
                () = stop.cancelled() => return false,
                () = self.clock.sleep_until(wake) => {}
            }
        }
    }
}

// A renewal that was answered to nobody, or to another process of the region, has moved the lease:
// what is shown is then shown of the wrong one, and the marks have moved on.
fn may_be_outdated(error: &Error, was_known: bool) -> bool {
    error.kind() == ErrorKind::Conflict || (was_known && error.kind() == ErrorKind::Refused)
}

impl OwnershipLease for OwnershipLeases {
    fn check(&self, slice: &SliceRef, epoch: Epoch, now: Moment) -> Result<Moment, Error> {
        self.holdings().check(slice, epoch, now)
    }
}

#[async_trait]
impl LeaseHoldings for OwnershipLeases {
    fn adopt(&self, grant: &WriteGrant) -> Result<(), Error> {
        Self::adopt(self, grant.clone())
    }

    fn release(&self, slice: &SliceRef) {
        Self::release(self, slice);
    }

    fn adopted(&self) -> BTreeMap<SliceRef, Epoch> {
        self.holdings().epochs()
    }

    async fn renew_now(&self) -> Result<(), Failure> {
        self.renew_once().await.map(|_| ())
    }
}

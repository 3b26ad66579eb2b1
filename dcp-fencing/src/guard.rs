//! The in-process guard of one slice.

mod gate;
mod protected;
mod stored;

pub use protected::{EventStoreSlice, Protected, Reach};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use dcp_core::clock::{Clock, Moment};
use dcp_core::fence::{Fence, FenceRank, FencingToken, Purpose};
use dcp_core::ids::{RegionId, ResourceId, SliceRef};
use dcp_core::operation::SealReceipt;
use dcp_core::ownership::{Epoch, Ownership, WriteGrant};
use dcp_core::ports::{
    Entry, Key, OwnershipLease, Permit, PermitLedger, ResourceGuard, Sealable, StateStore, Transaction,
};
use dcp_core::position::Cut;
use dcp_core::signed::Keyring;
use dcp_core::{Error, ErrorKind, Failure, InDoubt};
use tokio::sync::Notify;

use self::gate::Gate;
use self::stored::{Outcome, StoredFence};
use crate::telemetry;

// How often a fence that another process has written meanwhile is read and judged again.
const ATTEMPTS_MAX: u32 = 5;

/// What a [`SliceGuard`] is made of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GuardParts {
    /// The region whose appends the guard admits.
    pub region: RegionId,
    /// What the guard stands at; names its key, `fence/<resource>`.
    pub resource: ResourceId,
    /// The slice whose ownership it compares.
    pub slice: SliceRef,
    /// Holds the fence durably.
    pub store: Arc<dyn StateStore>,
    /// Vouches for grants and tokens; what another key set vouched for is not taken.
    pub keyring: Keyring,
    /// Asked at every admission and again after every effect.
    pub lease: Arc<dyn OwnershipLease>,
    /// The resource.
    pub protected: Arc<dyn Protected>,
    /// Times the seal.
    pub clock: Arc<dyn Clock>,
    /// How long a seal waits for what is in flight, and again for the resource's barrier.
    pub seal_deadline: Duration,
}

impl GuardParts {
    /// Parts with a seal deadline of five seconds.
    #[allow(clippy::too_many_arguments)] // Each is a part that cannot be left out.
    #[must_use]
    pub fn new(
        region: RegionId,
        resource: ResourceId,
        slice: SliceRef,
        store: Arc<dyn StateStore>,
        keyring: Keyring,
        lease: Arc<dyn OwnershipLease>,
        protected: Arc<dyn Protected>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let seal_deadline = Duration::from_secs(5);
        Self { region, resource, slice, store, keyring, lease, protected, clock, seal_deadline }
    }

    /// With another deadline.
    #[must_use]
    pub fn with_seal_deadline(mut self, deadline: Duration) -> Self {
        self.seal_deadline = deadline;
        self
    }
}

/// Guard of one slice: durable fence in a state store, admission in memory.
///
/// Admission is synchronous: one short lock around check and count. The guard starts closed, and
/// one process runs one guard of a slice: another process's permits are not seen by its seal,
/// only by the resource's barrier.
#[derive(Debug)]
pub struct SliceGuard {
    parts: GuardParts,
    key: Key,
    desk: Arc<Desk>,
    // Opening and sealing take turns.
    turn: tokio::sync::Mutex<()>,
}

// What permits report to: the part of the guard that must outlive them.
#[derive(Debug)]
struct Desk {
    slice: SliceRef,
    lease: Arc<dyn OwnershipLease>,
    gate: Mutex<Gate>,
    settled: Notify,
}

impl Desk {
    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // Returns once nothing that a seal at this epoch waits for is in flight.
    async fn drained(&self, epoch: Epoch, reach: Reach) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if self.gate().awaited(epoch, reach) == 0 {
                return;
            }
            settled.await;
        }
    }
}

impl PermitLedger for Desk {
    fn applied(&self, ticket: u64, now: Moment) -> Result<(), InDoubt> {
        let epoch = self.gate().settle(ticket);
        self.settled.notify_waiters();
        let epoch = epoch.ok_or_else(|| InDoubt::new("unknown-permit", format!("{}: settled before", self.slice)))?;
        match self.lease.check(&self.slice, epoch, now) {
            Ok(_) => Ok(()),
            Err(error) => Err(InDoubt::new(
                "lease-run-out",
                format!("{}: the effect is there, but {error}; do not acknowledge it", self.slice),
            )),
        }
    }

    fn not_applied(&self, ticket: u64) {
        self.gate().settle(ticket);
        self.settled.notify_waiters();
    }

    fn dropped(&self, ticket: u64) {
        self.gate().drop_permit(ticket);
        self.settled.notify_waiters();
    }
}

impl SliceGuard {
    /// A guard that starts closed. Does no I/O.
    ///
    /// # Errors
    /// `Invalid` if the resource's name is too long for a key.
    pub fn new(parts: GuardParts) -> Result<Self, Error> {
        let key = stored::key(&parts.resource)?;
        let desk = Arc::new(Desk {
            slice: parts.slice.clone(),
            lease: Arc::clone(&parts.lease),
            gate: Mutex::new(Gate::new(parts.slice.clone())),
            settled: Notify::new(),
        });
        Ok(Self { parts, key, desk, turn: tokio::sync::Mutex::new(()) })
    }

    /// Judges a control operation under a whole token, without an effect on the fence: a lower
    /// revision is refused as `stale`, a higher one until the guard was sealed at it.
    ///
    /// # Errors
    /// `Fenced` below the fence; `Refused` (`not-sealed`) above it: seal first; `Retry` if the fence
    /// cannot be read.
    pub async fn authorise(&self, token: &FencingToken) -> Result<(), Error> {
        let token = self.vouched(token)?;
        let (_, stored) = self.read().await?;
        match stored.judge_token(&self.parts.resource, &token.rank(), Purpose::Attempt) {
            Outcome::Stands => Ok(()),
            Outcome::Write(_) => Err(Error::refused(
                "not-sealed",
                format!("{}: seal it at {} before acting under it", self.parts.resource, token.rank()),
            )),
            Outcome::Refuse(error) | Outcome::Contest(_, error) => Err(error),
        }
    }

    // A token may have been opened with any key set; only the treaty's count here.
    fn vouched(&self, token: &FencingToken) -> Result<FencingToken, Error> {
        let token = token.to_presented().verify(&self.parts.keyring)?;
        self.of_this_slice(token.grant())?;
        Ok(token)
    }

    fn of_this_slice(&self, grant: &WriteGrant) -> Result<(), Error> {
        if grant.slice == self.parts.slice {
            return Ok(());
        }
        Err(Error::invalid(
            "other-slice",
            format!("{} guards {}, not {}", self.parts.resource, self.parts.slice, grant.slice),
        ))
    }

    async fn read(&self) -> Result<(Option<Entry>, StoredFence), Error> {
        let known = self.desk.gate().known();
        let entry = self.parts.store.read(&self.key).await?;
        let revision = entry.as_ref().map(|entry| entry.revision);
        if revision < known {
            return Err(Error::corrupt(
                "fence-went-back",
                format!("{}: the store has lost a fence that was durable; refuse all and seal anew", self.key),
            ));
        }
        let stored = StoredFence::read(entry.as_ref())?;
        self.desk.gate().learn(revision, stored.clone());
        Ok((entry, stored))
    }

    // Makes durable what follows from what was presented. Another process may guard the same
    // resource, so that each attempt judges the fence as it stands then.
    async fn raise(&self, judge: impl Fn(&StoredFence) -> Outcome + Send) -> Result<(), Failure> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (entry, stored) = self.read().await.map_err(Failure::NotApplied)?;
            let (next, refusal) = match judge(&stored) {
                Outcome::Stands => return Ok(()),
                Outcome::Refuse(error) => return Err(Failure::NotApplied(error)),
                Outcome::Write(next) => (next, None),
                Outcome::Contest(next, error) => {
                    tracing::error!(event = telemetry::DUAL_CLAIM, resource = %self.parts.resource, %error);
                    (next, Some(error))
                }
            };
            let value = next.to_value().map_err(Failure::NotApplied)?;
            let transaction =
                Transaction::new().unchanged(self.key.clone(), entry.as_ref()).put(self.key.clone(), value);
            match self.parts.store.commit(transaction).await {
                Ok(revision) => self.desk.gate().learn(Some(revision), next),
                Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Conflict && attempts < ATTEMPTS_MAX => {
                    continue;
                }
                Err(failure) => return Err(failure),
            }
            return refusal.map_or(Ok(()), |error| Err(Failure::NotApplied(error)));
        }
    }

    async fn within<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.parts.clock.sleep(self.parts.seal_deadline) => Err(Failure::in_doubt(
                what,
                format!("{}: not done within {:?}; seal again", self.parts.resource, self.parts.seal_deadline),
            )),
        }
    }

    async fn drain_and_bar(&self, token: &FencingToken) -> Result<Cut, Failure> {
        let epoch = token.grant().epoch;
        // Decided once: whoever closes the guard during the seal must seal again for final ends.
        let drained = self.desk.gate().reach(epoch);
        self.within("seal-not-drained", async {
            self.desk.drained(epoch, drained).await;
            Ok(())
        })
        .await?;
        // A barrier through its own epoch ends the owner's writer, so it is kept for permits of
        // that epoch whose fate only the resource can tell.
        let abandoned = drained == Reach::ThroughEpoch && self.desk.gate().dropped_at(epoch);
        let reach = if abandoned { Reach::ThroughEpoch } else { Reach::BelowEpoch };
        let ends = self.within("seal-not-barred", self.parts.protected.barrier(token.grant(), reach)).await?;
        self.desk.gate().forget_dropped(epoch, drained);
        Ok(ends)
    }

    fn receipt(&self, rank: FenceRank, ends: Cut) -> SealReceipt {
        tracing::info!(event = telemetry::GUARD_SEALED, resource = %self.parts.resource, %rank);
        SealReceipt { resource: self.parts.resource.clone(), rank, ends }
    }
}

#[async_trait]
impl Sealable for SliceGuard {
    fn resource(&self) -> &ResourceId {
        &self.parts.resource
    }

    fn slice(&self) -> &SliceRef {
        &self.parts.slice
    }

    async fn fence(&self) -> Result<Fence, Error> {
        Ok(self.read().await?.1.fence)
    }

    async fn seal(&self, token: &FencingToken) -> Result<SealReceipt, Failure> {
        let token = self.vouched(token).map_err(Failure::NotApplied)?;
        let _turn = self.turn.lock().await;
        let rank = token.rank();
        let judge = |stored: &StoredFence| {
            let outcome = stored.judge_token(&self.parts.resource, &rank, Purpose::Seal);
            if matches!(outcome, Outcome::Write(_)) {
                self.desk.gate().close_below(&rank);
            }
            outcome
        };
        self.raise(judge).await?;
        let ends = self.drain_and_bar(&token).await?;
        Ok(self.receipt(rank, ends))
    }
}

#[async_trait]
impl ResourceGuard for SliceGuard {
    async fn open(&self, grant: &WriteGrant) -> Result<(), Failure> {
        let opened = self.parts.keyring.open_by_issuer::<Ownership>(grant.envelope());
        let grant = opened.map_err(Failure::NotApplied)?;
        self.of_this_slice(&grant).map_err(Failure::NotApplied)?;
        if grant.owner != self.parts.region {
            return Err(Failure::NotApplied(Error::refused(
                "not-owner",
                format!("{}: {} owns epoch {}, not {}", grant.slice, grant.owner, grant.epoch, self.parts.region),
            )));
        }
        let _turn = self.turn.lock().await;
        self.raise(|stored| stored.judge_grant(&self.parts.resource, &grant)).await?;
        self.desk.gate().open(&grant);
        Ok(())
    }

    async fn close(&self, reason: &str) {
        self.desk.gate().close(reason.to_owned());
    }

    fn admit(&self, grant: &WriteGrant, now: Moment) -> Result<Permit, Error> {
        let ticket = self
            .desk
            .gate()
            .admit(grant, || self.parts.lease.check(&self.parts.slice, grant.epoch, now).map(|_| ()))?;
        Ok(Permit::new(Arc::<Desk>::clone(&self.desk), ticket))
    }
}

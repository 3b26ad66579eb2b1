//! Guards with one planted defect each, as wrappers around a correct one, so that a drill can put
//! them in its place.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::clock::Moment;
use crate::error::{Error, ErrorKind, Failure, InDoubt};
use crate::fence::{Fence, FencingToken};
use crate::ids::{ResourceId, SliceRef};
use crate::operation::SealReceipt;
use crate::ownership::{Epoch, WriteGrant};
use crate::ports::{OwnershipLease, Permit, PermitLedger, ResourceGuard, Sealable};
use crate::position::Cut;

/// Where a [`DefectiveGuard`] goes wrong; the clause that it fails stands in the comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum GuardDefect {
    /// G1: admits the epoch before the fence (`<=` for `<`).
    AdmitsTheEpochBefore,
    /// G3: takes whatever was presented last for its fence.
    LowersFence,
    /// G4: does not count what is in flight, so that its seal does not drain.
    SealDoesNotDrain,
    /// G6: answers a forged token as if it had sealed.
    BelievesForgeries,
    /// G7: refuses the second issuer of an epoch and lets the first one go on.
    RefusesOnlyTheSecondIssuer,
    /// G8: calls a regressed revision stale, so that nobody looks for the restored election store.
    HidesRegression,
    /// G9: admits without asking the lease.
    NoFirstLeaseCheck,
    /// G10: acknowledges without asking the lease again.
    NoSecondLeaseCheck,
    /// G11: admits only under the first term that it was sealed at.
    ElectionsRefuseAppends,
    /// G12: admits before it was opened.
    StartsOpen,
}

/// A guard that is right but for one defect.
pub struct DefectiveGuard {
    inner: Arc<dyn ResourceGuard>,
    lease: Arc<dyn OwnershipLease>,
    defect: GuardDefect,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    opened: bool,
    highest: Option<Epoch>,
    presented: Option<Fence>,
    seals: u32,
}

impl fmt::Debug for DefectiveGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DefectiveGuard").field("defect", &self.defect).finish_non_exhaustive()
    }
}

impl DefectiveGuard {
    /// Plants a defect in a guard; `lease` is the one that the guard asks.
    #[must_use]
    pub fn new(inner: Arc<dyn ResourceGuard>, lease: Arc<dyn OwnershipLease>, defect: GuardDefect) -> Self {
        Self { inner, lease, defect, seen: Mutex::default() }
    }

    fn has(&self, defect: GuardDefect) -> bool {
        self.defect == defect
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn raised(&self, epoch: Epoch) {
        let mut seen = self.seen();
        seen.highest = seen.highest.max(Some(epoch));
    }

    // A permit that the inner guard does not count. It still checks the lease a second time.
    fn uncounted(&self, grant: &WriteGrant) -> Permit {
        let lease = Some((Arc::clone(&self.lease), grant.slice.clone(), grant.epoch));
        Permit::new(Arc::new(Uncounted { lease, inner: Mutex::new(None), recount: None }), 0)
    }

    fn admits_anyway(&self, grant: &WriteGrant, error: &Error) -> bool {
        let seen = self.seen();
        match self.defect {
            GuardDefect::AdmitsTheEpochBefore => error.code() == "stale" && Some(grant.epoch.next()) == seen.highest,
            GuardDefect::NoFirstLeaseCheck => error.code() == "lease-run-out",
            GuardDefect::StartsOpen => !seen.opened && error.kind() == ErrorKind::Retry,
            _ => false,
        }
    }
}

#[async_trait]
impl Sealable for DefectiveGuard {
    fn resource(&self) -> &ResourceId {
        self.inner.resource()
    }

    fn slice(&self) -> &SliceRef {
        self.inner.slice()
    }

    async fn fence(&self) -> Result<Fence, Error> {
        let fence = self.inner.fence().await?;
        Ok(self.seen().presented.clone().unwrap_or(fence))
    }

    async fn seal(&self, token: &FencingToken) -> Result<SealReceipt, Failure> {
        if self.has(GuardDefect::RefusesOnlyTheSecondIssuer) {
            let fence = self.inner.fence().await.map_err(Failure::NotApplied)?;
            let other = fence
                .highest()
                .is_some_and(|highest| highest.epoch == token.grant().epoch && highest.issuer != token.grant().owner);
            if other {
                return Err(Failure::NotApplied(Error::fenced("dual-claim", "refused, and forgotten")));
            }
        }
        match self.inner.seal(token).await {
            Ok(receipt) => {
                self.raised(token.grant().epoch);
                self.seen().seals += 1;
                Ok(receipt)
            }
            Err(Failure::NotApplied(error))
                if self.has(GuardDefect::BelievesForgeries) && error.kind() == ErrorKind::Refused =>
            {
                Ok(SealReceipt { resource: self.resource().clone(), rank: token.rank(), ends: Cut::new() })
            }
            Err(Failure::NotApplied(error))
                if self.has(GuardDefect::HidesRegression) && error.code() == "revision-regressed" =>
            {
                Err(Failure::NotApplied(Error::fenced("stale", error.message())))
            }
            Err(failure) => {
                if self.has(GuardDefect::LowersFence) && failure.code() == "stale" {
                    self.seen().presented = Some(Fence::unset().raised(&token.rank()));
                }
                Err(failure)
            }
        }
    }
}

#[async_trait]
impl ResourceGuard for DefectiveGuard {
    async fn open(&self, grant: &WriteGrant) -> Result<(), Failure> {
        self.inner.open(grant).await?;
        self.raised(grant.epoch);
        self.seen().opened = true;
        Ok(())
    }

    async fn close(&self, reason: &str) {
        self.inner.close(reason).await;
    }

    fn admit(&self, grant: &WriteGrant, now: Moment) -> Result<Permit, Error> {
        let permit = match self.inner.admit(grant, now) {
            Ok(permit) => permit,
            Err(error) if self.admits_anyway(grant, &error) => return Ok(self.uncounted(grant)),
            Err(error) => return Err(error),
        };
        match self.defect {
            GuardDefect::SealDoesNotDrain => {
                permit.not_applied();
                let lease = Some((Arc::clone(&self.lease), grant.slice.clone(), grant.epoch));
                let recount = Some((Arc::clone(&self.inner), grant.clone(), now));
                Ok(Permit::new(Arc::new(Uncounted { lease, inner: Mutex::new(None), recount }), 0))
            }
            GuardDefect::NoSecondLeaseCheck => {
                Ok(Permit::new(Arc::new(Uncounted { lease: None, inner: Mutex::new(Some(permit)), recount: None }), 0))
            }
            GuardDefect::ElectionsRefuseAppends if self.seen().seals > 1 => {
                permit.not_applied();
                Err(Error::fenced("stale", "another term has begun"))
            }
            _ => Ok(permit),
        }
    }
}

// Stands between a permit and the guard that should have counted it.
#[derive(Debug)]
struct Uncounted {
    lease: Option<(Arc<dyn OwnershipLease>, SliceRef, Epoch)>,
    inner: Mutex<Option<Permit>>,
    // Where a drop is still told of, although nothing was counted.
    recount: Option<(Arc<dyn ResourceGuard>, WriteGrant, Moment)>,
}

impl Uncounted {
    fn inner(&self) -> Option<Permit> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl PermitLedger for Uncounted {
    fn applied(&self, _ticket: u64, now: Moment) -> Result<(), InDoubt> {
        if let Some(permit) = self.inner() {
            permit.not_applied();
        }
        let Some((lease, slice, epoch)) = &self.lease else { return Ok(()) };
        let checked = lease.check(slice, *epoch, now);
        checked.map(|_| ()).map_err(|error| InDoubt::new("lease-run-out", error.message()))
    }

    fn not_applied(&self, _ticket: u64) {
        if let Some(permit) = self.inner() {
            permit.not_applied();
        }
    }

    fn dropped(&self, _ticket: u64) {
        drop(self.inner());
        if let Some((guard, grant, now)) = &self.recount {
            drop(guard.admit(grant, *now));
        }
    }
}

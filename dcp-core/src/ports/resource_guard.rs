//! Guards: they stand at a resource and refuse stale mandates.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::Moment;
use crate::error::{Error, Failure, InDoubt};
use crate::fence::{Fence, FencingToken};
use crate::ids::{ResourceId, SliceRef};
use crate::operation::SealReceipt;
use crate::ownership::WriteGrant;

/// Stands at one slice's resource, holds its fence, refuses lower ones, can be sealed.
///
/// # Contract
/// - **G1** A grant or token below the fence is refused with `Fenced`, and nothing is forwarded.
/// - **G2** The fence survives a crash of the guard: what was refused before is refused after.
/// - **G3** The fence never goes down, whatever is presented.
/// - **G4** When `seal` has answered, no effect admitted below it lands any more: it waits for what
///   is in flight, and its receipt names the ends after the last of it. A guard that is closed is
///   drained by a seal at its own epoch too, so that a planned move knows its final ends.
/// - **G5** A permit that was dropped without an outcome blocks the seal until the resource itself
///   has shown that nothing of it can still land.
/// - **G6** Only tokens whose signatures verify raise the fence; a forged high token changes nothing.
/// - **G7** Two issuers in one epoch are both refused, until a higher epoch is sealed.
/// - **G8** A lower revision of the same issuer and epoch is `stale` on an attempt and
///   `revision-regressed` on a seal.
/// - **G9** A grant is admitted only while its ownership lease is valid at `now`; run out: refused,
///   not applied.
/// - **G10** A permit is confirmed only if the lease is still valid after the effect; run out: in
///   doubt, never success.
/// - **G11** An election does not refuse an append: a grant of the current epoch is admitted under
///   any term.
/// - **G12** A guard that starts admits nothing until its fence was read and it was opened by the
///   current owner's grant.
#[async_trait]
pub trait ResourceGuard: Sealable {
    /// Opens the guard for appends under this grant, raising the fence if it is higher.
    ///
    /// # Errors
    /// `NotApplied(Fenced)` below the fence; `InDoubt`: open again.
    async fn open(&self, grant: &WriteGrant) -> Result<(), Failure>;

    /// Closes the guard for appends without moving the fence (its owner has lost the lease).
    async fn close(&self, reason: &str);

    /// Admits one append. Synchronous, so that check and admission are one step.
    ///
    /// # Errors
    /// `Fenced` below the fence, or if the lease has run out; `Retry` while closed.
    fn admit(&self, grant: &WriteGrant, now: Moment) -> Result<Permit, Error>;
}

/// The half of a guard that a peer region may call: read the fence, and seal.
#[async_trait]
pub trait Sealable: fmt::Debug + Send + Sync + 'static {
    /// What it stands at.
    fn resource(&self) -> &ResourceId;

    /// The slice whose ownership it compares.
    fn slice(&self) -> &SliceRef;

    /// The fence.
    ///
    /// # Errors
    /// `Retry` if it cannot be read now: treat everything as refused.
    async fn fence(&self) -> Result<Fence, Error>;

    /// Raises the fence to the token, waits for what is in flight, answers the ends.
    ///
    /// Idempotent: sealing again at the same token answers the same receipt.
    ///
    /// # Errors
    /// `NotApplied(Fenced)` below the fence, with its reason; `InDoubt` if it is not known whether
    /// the fence was raised: seal again.
    async fn seal(&self, token: &FencingToken) -> Result<SealReceipt, Failure>;
}

/// What a permit reports to; implemented by the guard.
pub trait PermitLedger: fmt::Debug + Send + Sync + 'static {
    /// The effect was applied at `now`: is it still covered?
    ///
    /// # Errors
    /// In doubt if the lease has run out meanwhile.
    fn applied(&self, ticket: u64, now: Moment) -> Result<(), InDoubt>;
    /// The effect was certainly not applied.
    fn not_applied(&self, ticket: u64);
    /// The permit was dropped without an outcome.
    fn dropped(&self, ticket: u64);
}

/// Leave for one effect. Settle it with its outcome; dropped, it is in doubt and blocks the seal.
#[derive(Debug)]
#[must_use = "settle the permit with the effect's outcome"]
pub struct Permit {
    ledger: Option<Arc<dyn PermitLedger>>,
    ticket: u64,
}

impl Permit {
    /// For implementers of a guard.
    pub fn new(ledger: Arc<dyn PermitLedger>, ticket: u64) -> Self {
        Self { ledger: Some(ledger), ticket }
    }

    /// The effect was applied: checks the lease a second time.
    ///
    /// # Errors
    /// In doubt if the lease has run out: never acknowledge.
    pub fn applied(mut self, now: Moment) -> Result<(), InDoubt> {
        self.ledger.take().map_or(Ok(()), |ledger| ledger.applied(self.ticket, now))
    }

    /// The effect was certainly not applied.
    pub fn not_applied(mut self) {
        if let Some(ledger) = self.ledger.take() {
            ledger.not_applied(self.ticket);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(ledger) = self.ledger.take() {
            ledger.dropped(self.ticket);
        }
    }
}

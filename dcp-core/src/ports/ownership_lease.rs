//! The owner's side of its ownership leases.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

use crate::clock::Moment;
use crate::error::{Error, Failure};
use crate::ids::SliceRef;
use crate::ownership::{Epoch, WriteGrant};

/// Until when this process may act as owner. Synchronous: it is asked at every append.
pub trait OwnershipLease: fmt::Debug + Send + Sync + 'static {
    /// Until when the lease on this slice is valid, asked for this epoch.
    ///
    /// # Errors
    /// `Fenced` (`lease-run-out`) if it has run out at `now` or was never held for this epoch.
    fn check(&self, slice: &SliceRef, epoch: Epoch, now: Moment) -> Result<Moment, Error>;
}

/// Which slices this region renews at the witness.
#[async_trait]
pub trait LeaseHoldings: OwnershipLease {
    /// Renews this slice too, from the next renewal on. Nothing is valid before that is answered.
    ///
    /// # Errors
    /// `Refused` if the grant is another region's.
    fn adopt(&self, grant: &WriteGrant) -> Result<(), Error>;

    /// Stops renewing a slice: it is handed over, or was lost.
    fn release(&self, slice: &SliceRef);

    /// What is renewed now, each slice with its epoch.
    fn adopted(&self) -> BTreeMap<SliceRef, Epoch>;

    /// Renews all at once, out of turn.
    ///
    /// # Errors
    /// `NotApplied(Fenced)` if a slice was taken: it is no longer held. `InDoubt` or
    /// `NotApplied(Retry)`: renew again; nothing was prolonged.
    async fn renew_now(&self) -> Result<(), Failure>;
}

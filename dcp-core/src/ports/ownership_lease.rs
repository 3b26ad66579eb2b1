//! The owner's side of an ownership lease, as a guard asks it.

use std::fmt;

use crate::clock::Moment;
use crate::error::Error;
use crate::ids::SliceRef;
use crate::ownership::Epoch;

/// Until when this process may act as owner. Synchronous: it is asked at every append.
pub trait OwnershipLease: fmt::Debug + Send + Sync + 'static {
    /// Until when the lease on this slice is valid, asked for this epoch.
    ///
    /// # Errors
    /// `Fenced` (`lease-run-out`) if it has run out at `now` or was never held for this epoch.
    fn check(&self, slice: &SliceRef, epoch: Epoch, now: Moment) -> Result<Moment, Error>;
}

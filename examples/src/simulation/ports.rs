//! The ports as a simulated process sees them: each call carried to what serves it, and back.

mod appends;
mod events;
mod peer;
mod state;

pub(super) use appends::{CarriedAppends, ObservedAppends};
pub(super) use events::{CarriedSource, CarriedStore};
pub(super) use peer::{CarriedGuard, CarriedHandover};
pub(super) use state::CarriedState;

use dcp_core::{Error, Failure};

use super::network::Lost;

/// What a read answers where the call was lost.
pub(super) fn unread<T>(lost: Lost) -> Result<T, Error> {
    Err(Error::retry("no-answer", format!("the call was lost: {lost:?}")))
}

/// What an effect answers where the call was lost: only where nobody listens it certainly did not happen.
pub(super) fn undone<T>(lost: Lost) -> Result<T, Failure> {
    match lost {
        Lost::NobodyListens => Err(Failure::NotApplied(Error::retry("unreachable", "nobody listens there"))),
        Lost::Silent | Lost::Broken => Err(Failure::in_doubt("no-answer", format!("the call was lost: {lost:?}"))),
    }
}

//! What a plane does next. Pure.

use crate::ids::RegionId;
use crate::lease::ChallengeState;
use crate::ownership::{Epoch, WriteGrant};

/// What to do about one slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SliceMove {
    /// It is as it should be.
    Keep,
    /// Renew its lease; open it once that is answered.
    Hold(WriteGrant),
    /// The lease is valid: open it.
    Open(WriteGrant),
    /// Stop writing it, with the reason.
    Close(&'static str),
}

/// What is known of one slice here.
#[derive(Debug, Clone)]
pub(super) struct SliceView {
    pub(super) head: WriteGrant,
    pub(super) open: Option<Epoch>,
    pub(super) held: Option<Epoch>,
    pub(super) lease_valid: bool,
    pub(super) released: bool,
}

pub(super) fn slice_move(region: &RegionId, view: &SliceView) -> SliceMove {
    // Another task has taken the slice since the head was read: the next pass sees the newer one.
    if view.open.max(view.held) > Some(view.head.epoch) {
        return SliceMove::Keep;
    }
    let owned = &view.head.owner == region && !view.released;
    if !owned {
        let writing = view.open.is_some() || view.held.is_some();
        return if writing { SliceMove::Close("owned elsewhere or handed over") } else { SliceMove::Keep };
    }
    if view.open.is_some_and(|open| open != view.head.epoch) {
        return SliceMove::Close("a newer epoch");
    }
    if view.held != Some(view.head.epoch) {
        return SliceMove::Hold(view.head.clone());
    }
    if view.open.is_none() && view.lease_valid {
        return SliceMove::Open(view.head.clone());
    }
    SliceMove::Keep
}

/// Whether a plane may start a blackout by itself: it saw the peer's lease renewed and then run out,
/// in this process's life.
pub(super) fn lets_start(lease: &ChallengeState) -> bool {
    matches!(lease, ChallengeState::RunOut { saw_renewal: true, .. })
}

#[cfg(test)]
mod tests;

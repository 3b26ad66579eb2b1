//! What a plane does next. Pure.

use crate::ids::{RegionId, SliceRef};
use crate::lease::ChallengeState;
use crate::ownership::{Epoch, WriteGrant};
use crate::treaty::{TakeoverRule, Treaty};

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

/// Whether a plane starts a blackout of `peer` by itself: it saw the peer's lease renewed and then
/// run out, in this process's life, and the peer owns something that this region may take.
pub(super) fn starts_blackout(
    treaty: &Treaty,
    region: &RegionId,
    peer: &RegionId,
    heads: &[WriteGrant],
    lease: &ChallengeState,
) -> bool {
    let ran_out = matches!(lease, ChallengeState::RunOut { saw_renewal: true, .. });
    ran_out && heads.iter().any(|head| &head.owner == peer && may_take(treaty, region, &head.slice))
}

fn may_take(treaty: &Treaty, region: &RegionId, slice: &SliceRef) -> bool {
    treaty.scope(&slice.scope).is_ok_and(|terms| terms.may_own(region) && terms.takeover() == TakeoverRule::Leased)
}

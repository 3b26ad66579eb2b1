//! A fence never goes down, in whatever order ranks are presented.

// A test stops where its own set-up fails.
#![allow(clippy::unwrap_used)]

use dcp_core::fence::{Fence, FenceRank, Judgement, Purpose};
use dcp_core::ids::RegionId;
use dcp_core::ownership::Epoch;
use proptest::prelude::*;

fn rank() -> impl Strategy<Value = FenceRank> {
    (1..5_u64, prop::sample::select(vec!["west", "east"]), 0..4_u64).prop_map(|(epoch, issuer, revision)| FenceRank {
        epoch: Epoch::new(epoch),
        issuer: RegionId::new(issuer).unwrap(),
        revision,
    })
}

/// Whether `after` is the fence `before`, or above it by the only order there is.
fn not_lower(before: &Fence, after: &Fence) -> bool {
    match (before.highest(), after.highest()) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(before), Some(after)) if after.epoch == before.epoch => {
            after.issuer == before.issuer && after.revision >= before.revision
        }
        (Some(before), Some(after)) => after.epoch > before.epoch,
    }
}

proptest! {
    #[test]
    fn it_never_goes_down(ranks in prop::collection::vec(rank(), 0..40)) {
        let mut fence = Fence::unset();
        for rank in ranks {
            let after = fence.raised(&rank);
            prop_assert!(not_lower(&fence, &after), "{fence:?} became {after:?} at {rank}");
            fence = after;
        }
    }

    #[test]
    fn it_moves_exactly_when_it_says_so(ranks in prop::collection::vec(rank(), 0..10), presented in rank()) {
        let fence = ranks.iter().fold(Fence::unset(), |fence, rank| fence.raised(rank));
        let (seal, attempt) = (fence.judge(&presented, Purpose::Seal), fence.judge(&presented, Purpose::Attempt));
        prop_assert_eq!(fence.raised(&presented) != fence, seal == Judgement::Raises);
        let passes = |judgement| matches!(judgement, Judgement::Current | Judgement::Raises);
        prop_assert_eq!(passes(seal), passes(attempt));
        prop_assert_eq!(passes(seal), fence.refusal(&"fence", &presented, seal).is_none());
        if seal == Judgement::RevisionRegressed {
            prop_assert_eq!(attempt, Judgement::Stale);
        }
    }

    #[test]
    fn what_was_once_refused_as_stale_stays_refused(ranks in prop::collection::vec(rank(), 1..10), more in prop::collection::vec(rank(), 0..10), presented in rank()) {
        let fence = ranks.iter().fold(Fence::unset(), |fence, rank| fence.raised(rank));
        if fence.judge(&presented, Purpose::Attempt) == Judgement::Stale {
            let later = more.iter().fold(fence, |fence, rank| fence.raised(rank));
            let judgement = later.judge(&presented, Purpose::Attempt);
            prop_assert!(!matches!(judgement, Judgement::Current | Judgement::Raises), "{presented} passes again: {judgement:?}");
        }
    }
}

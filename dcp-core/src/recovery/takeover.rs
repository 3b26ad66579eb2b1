//! What a region takes when another one's ownership lease has run out. Pure.

use crate::ids::RegionId;
use crate::ownership::WriteGrant;
use crate::treaty::{TakeoverRule, Treaty};

/// Why a slice is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// The lost region owns it, and this region may succeed it.
    Owned,
    /// This region has let go of it to the lost one, which did not claim it: sealed here and owned
    /// nowhere else, it is written by nobody until this region takes it back under the next epoch.
    /// The seal is this region's own, so that no rule of a takeover from another is asked.
    LetGo,
}

/// Why `region` takes the slice of this head from `lost`, if it does. `let_go_to` is the successor to
/// which it has let go of the head's epoch, if it has.
pub(crate) fn ground(
    treaty: &Treaty,
    region: &RegionId,
    lost: &RegionId,
    head: &WriteGrant,
    let_go_to: Option<&RegionId>,
) -> Option<Ground> {
    let terms = treaty.scope(&head.slice.scope).ok().filter(|terms| terms.may_own(region))?;
    if &head.owner == lost {
        return (terms.takeover() == TakeoverRule::Leased).then_some(Ground::Owned);
    }
    (&head.owner == region && let_go_to == Some(lost)).then_some(Ground::LetGo)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::LeaseTerms;
    use crate::testing::fixtures::{TwoRegions, east, west};

    fn ground_of(
        rule: TakeoverRule,
        region: &RegionId,
        lost: &RegionId,
        let_go_to: Option<&RegionId>,
    ) -> Option<Ground> {
        let second = std::time::Duration::from_secs(1);
        let regions = TwoRegions::with(rule, LeaseTerms::new(second * 8, 1_000, second).unwrap());
        // West's scope, in its first epoch.
        let head = regions.grant(&regions.treaty().slices()[0], &west(), 1);
        ground(regions.treaty(), region, lost, &head, let_go_to)
    }

    #[test]
    fn what_another_owns_is_taken_by_its_successor_and_by_rule() {
        assert_eq!(ground_of(TakeoverRule::Leased, &east(), &west(), None), Some(Ground::Owned));
        assert_eq!(ground_of(TakeoverRule::Attested, &east(), &west(), None), None);
        assert_eq!(ground_of(TakeoverRule::Leased, &west(), &east(), None), None);
    }

    #[test]
    fn what_was_let_go_of_to_the_lost_region_is_taken_back() {
        assert_eq!(ground_of(TakeoverRule::Leased, &west(), &east(), Some(&east())), Some(Ground::LetGo));
        assert_eq!(ground_of(TakeoverRule::Attested, &west(), &east(), Some(&east())), Some(Ground::LetGo));
        assert_eq!(ground_of(TakeoverRule::Leased, &west(), &east(), Some(&west())), None);
    }
}

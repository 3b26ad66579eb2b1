//! What a challenger does with what it has read. Pure.

use std::time::Duration;

use dcp_core::clock::Moment;
use dcp_core::digest::Digest;
use dcp_core::ids::HolderId;
use dcp_core::lease::{Challenge, ChallengeState, LeaseTerms};

use super::record::Leader;

/// The next move of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Move {
    /// The key was taken by this very campaign: confirm it.
    Confirm,
    /// Take the key as it was read.
    Take,
    /// Another holder may still lead; look again after this time.
    Wait(Duration),
}

/// Decides from the key as read. `challenge` has taken in every reading of this campaign, each at
/// the moment its answer had arrived.
pub(crate) fn next_move(
    holder: &HolderId,
    nonce: &Digest,
    leader: Option<&Leader>,
    challenge: &Challenge,
    terms: &LeaseTerms,
    now: Moment,
) -> Move {
    let Some(leader) = leader else { return Move::Take };
    if leader.record.nonce == *nonce {
        return Move::Confirm;
    }
    // The same holder came back: whatever its earlier life still believes is ended by the new term.
    if leader.record.holder == *holder {
        return Move::Take;
    }
    match challenge.state(terms, now) {
        ChallengeState::Running { left } => Move::Wait(left),
        ChallengeState::RunOut { .. } => Move::Take,
        // The key was read before this is asked, so it has been seen; look again if not.
        _ => Move::Wait(terms.challenge_wait()),
    }
}

#[cfg(test)]
mod tests {
    use dcp_core::ports::Revision;

    use super::*;
    use crate::election::record::LeaderRecord;

    fn leader(holder: &str, nonce: u8) -> Leader {
        let record = LeaderRecord::taking(HolderId::new(holder).unwrap(), Digest::from_bytes([nonce; 32]));
        Leader { record, revision: Revision::from_store(7) }
    }

    fn decide(leader: Option<&Leader>, waited: Duration) -> Move {
        let terms = LeaseTerms::new(Duration::from_secs(8), 1_000, Duration::from_secs(1)).unwrap();
        let mut challenge = Challenge::new();
        challenge.observe(7, 0, Moment::from_nanos(5));
        let holder = HolderId::new("me").unwrap();
        let now = Moment::from_nanos(5).after(waited);
        next_move(&holder, &Digest::from_bytes([1; 32]), leader, &challenge, &terms, now)
    }

    #[test]
    fn takes_a_free_key_and_its_own_earlier_lifes_at_once() {
        assert_eq!(decide(None, Duration::ZERO), Move::Take);
        assert_eq!(decide(Some(&leader("me", 2)), Duration::ZERO), Move::Take);
    }

    #[test]
    fn recognises_its_own_commit_by_the_nonce() {
        assert_eq!(decide(Some(&leader("me", 1)), Duration::ZERO), Move::Confirm);
    }

    #[test]
    fn waits_for_another_holder_until_its_lease_has_run_out() {
        let other = leader("other", 2);
        assert_eq!(decide(Some(&other), Duration::from_secs(8)), Move::Wait(Duration::from_millis(8)));
        assert_eq!(decide(Some(&other), Duration::from_millis(8_008)), Move::Take);
    }
}

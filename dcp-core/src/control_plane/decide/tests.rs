use std::time::Duration;

use super::*;
use crate::testing::fixtures::{TwoRegions, west};

fn view(head: u64, open: Option<u64>, held: Option<u64>) -> SliceView {
    let regions = TwoRegions::new();
    let head = regions.grant(&regions.treaty().slices()[0], &west(), head);
    SliceView { head, open: open.map(Epoch::new), held: held.map(Epoch::new), lease_valid: true, released: false }
}

#[test]
fn an_owned_slice_is_held_and_then_opened() {
    let head = view(1, None, None).head;
    assert_eq!(slice_move(&west(), &view(1, None, None)), SliceMove::Hold(head.clone()));
    assert_eq!(slice_move(&west(), &view(1, None, Some(1))), SliceMove::Open(head));
    assert_eq!(slice_move(&west(), &view(1, Some(1), Some(1))), SliceMove::Keep);
}

#[test]
fn what_was_let_go_of_or_lost_is_closed() {
    let released = SliceView { released: true, ..view(2, Some(2), Some(2)) };
    assert!(matches!(slice_move(&west(), &released), SliceMove::Close(_)));
    assert!(matches!(slice_move(&crate::testing::fixtures::east(), &view(2, Some(1), None)), SliceMove::Close(_)));
    assert!(matches!(slice_move(&west(), &view(3, Some(2), Some(2))), SliceMove::Close(_)));
}

#[test]
fn a_head_older_than_what_is_open_or_held_closes_nothing() {
    assert_eq!(slice_move(&west(), &view(2, Some(3), Some(3))), SliceMove::Keep);
    assert_eq!(slice_move(&west(), &view(2, None, Some(3))), SliceMove::Keep);
    let elsewhere = crate::testing::fixtures::east();
    assert_eq!(slice_move(&elsewhere, &view(2, Some(3), Some(3))), SliceMove::Keep);
}

#[test]
fn only_a_lease_that_was_seen_renewed_and_then_ran_out_starts_a_blackout() {
    let ran_out =
        |saw_renewal| ChallengeState::RunOut { revision: 1, sequence: 2, waited: Duration::ZERO, saw_renewal };
    assert!(lets_start(&ran_out(true)) && !lets_start(&ran_out(false)) && !lets_start(&ChallengeState::Unseen));
}

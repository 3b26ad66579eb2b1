//! Planted defects that processes can show: each fails the drill, by the invariant that names it.

use examples::defects::ProcessDefect;
use examples::verdict::{Judgement, Verdict};

use super::drill::Drill;
use super::evidence::has_passed;

#[track_caller]
fn is_caught(defect: ProcessDefect, dark: &str, invariant: &str) {
    let drill = Drill::new();
    let ended = drill.begin_with_defect(defect, &["--dark", dark]).with(1);
    let verdict: Verdict = serde_json::from_slice(&std::fs::read(drill.out().join("verdict.json")).unwrap()).unwrap();
    assert_eq!(verdict.verdict, Judgement::Failed);
    let violated: Vec<_> = verdict.invariants.iter().filter(|one| !one.held && one.checked > 0).collect();
    println!("{defect}: {:?}", violated.iter().map(|one| &one.id).collect::<Vec<_>>());
    assert!(violated.iter().any(|one| one.id == invariant), "{}\n{}", ended.out, ended.err);
}

#[test]
fn a_region_that_starts_open_lets_stale_writes_in() {
    is_caught(ProcessDefect::StartsOpen, "kill", "F4");
}

#[test]
fn without_a_second_lease_check_a_held_append_is_acknowledged() {
    is_caught(ProcessDefect::NoSecondLeaseCheck, "pause", "F3");
}

#[test]
fn behind_a_seal_that_does_not_drain_slow_appends_land() {
    is_caught(ProcessDefect::SealDoesNotDrain, "pause", "M2");
}

#[test]
fn slow_appends_alone_are_waited_for() {
    let drill = Drill::new();
    drill.begin_with_defect(ProcessDefect::SlowAppends, &[]).with(0);
    has_passed(&drill.out());
}

#[test]
fn a_link_that_skips_the_tail_leaves_the_regions_apart() {
    is_caught(ProcessDefect::SkipsTail, "pause", "M1");
}

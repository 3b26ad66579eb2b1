//! The planted defects that processes can show are found on servers too, each by the invariant that names
//! it.

use examples::defects::ProcessDefect;
use examples::event_store::StoreKind;
use examples::verdict::{Judgement, Verdict};

use super::drill::Drill;

#[track_caller]
fn is_caught(store: StoreKind, defect: ProcessDefect, dark: &str, invariant: &str) {
    let drill = Drill::new();
    let ended = drill.begin_with_defect(defect, &["--store", store.name(), "--dark", dark]).with(1);
    let verdict: Verdict = serde_json::from_slice(&std::fs::read(drill.out().join("verdict.json")).unwrap()).unwrap();
    assert_eq!(verdict.verdict, Judgement::Failed);
    let found = verdict.invariants.iter().any(|one| one.id == invariant && !one.held && one.checked > 0);
    assert!(found, "{}\n{}", ended.out, ended.err);
}

pub(super) fn starts_open(store: StoreKind) {
    is_caught(store, ProcessDefect::StartsOpen, "kill", "F4");
}

pub(super) fn no_second_lease_check(store: StoreKind) {
    is_caught(store, ProcessDefect::NoSecondLeaseCheck, "pause", "F3");
}

pub(super) fn seal_does_not_drain(store: StoreKind) {
    is_caught(store, ProcessDefect::SealDoesNotDrain, "pause", "M2");
}

pub(super) fn skips_tail(store: StoreKind) {
    is_caught(store, ProcessDefect::SkipsTail, "pause", "M1");
}

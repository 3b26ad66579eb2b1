use super::*;
use crate::fence::Term;
use crate::ids::{HolderId, RegionId, RunId, StepId};
use crate::ports::Facts;
use crate::recovery::blackout;
use crate::runbook::{JournalEntry, Plan, StepResult};
use crate::testing::fixtures::{TwoRegions, west};

fn plan() -> Plan {
    blackout(TwoRegions::new().treaty(), &west()).unwrap()
}

fn run() -> RunId {
    RunId::new("blackout-1").unwrap()
}

fn step(name: &str) -> StepId {
    StepId::new(name).unwrap()
}

fn outcome(name: &str, result: StepResult) -> [JournalEntry; 2] {
    let (direction, nonce) = (Direction::Forward, Digest::ZERO);
    let intent = JournalEntry::Intent { run: run(), step: step(name), direction, nonce, attempt: 1 };
    [intent, JournalEntry::Outcome { run: run(), step: step(name), direction, result }]
}

fn after(entries: &[JournalEntry]) -> RunState {
    let term = Term { issuer: RegionId::new("c").unwrap(), holder: HolderId::new("c.plane").unwrap(), revision: 1 };
    let opened = JournalEntry::RunOpened { run: run(), plan: plan(), digest: plan().digest(), term };
    RunState::of(&run(), std::iter::once(&opened).chain(entries)).unwrap().unwrap()
}

fn failed(name: &str, error: Error) -> Vec<JournalEntry> {
    let done = || StepResult::Done { facts: Facts::new() };
    let steps = plan().steps().iter().map(|step| step.id.to_string()).collect::<Vec<_>>();
    let before = steps.iter().take_while(|step| *step != name).flat_map(|step| outcome(step, done()));
    before.chain(outcome(name, StepResult::Failed { error })).collect()
}

fn cancelling() -> JournalEntry {
    JournalEntry::RunCancelling { run: run(), reason: "refused: the owner lives".to_owned() }
}

fn taken_up(state: &RunState) -> bool {
    takes_up(state, &plan().digest())
}

#[test]
fn what_a_crash_interrupted_goes_on() {
    let state = after(&outcome("pause-link", StepResult::Done { facts: Facts::new() }));
    assert_eq!(resumption(&state), Resumption::Forward);
    assert!(taken_up(&state));
    assert!(!takes_up(&state, &Digest::ZERO));
}

#[test]
fn a_refused_run_is_turned_back_unless_something_irreversible_was_done() {
    let refused = || Error::refused("precondition", "the owner lives");
    let state = after(&failed("take-ownership", refused()));
    assert_eq!(resumption(&state), Resumption::TurnBack("refused: the owner lives".to_owned()));
    assert!(!taken_up(&state), "a refusal holds for the run: an order begins anew");
    let late = after(&failed("confirm-health", refused()));
    assert_eq!(resumption(&late), Resumption::Leave);
    assert!(!taken_up(&late));
}

#[test]
fn a_run_that_goes_back_is_always_resumed_and_never_taken_up() {
    let mut entries = failed("take-ownership", Error::refused("precondition", "the owner lives"));
    entries.push(cancelling());
    let state = after(&entries);
    assert_eq!(resumption(&state), Resumption::Back);
    assert_eq!(state.why_cancelled(), Some("refused: the owner lives"));
    assert!(!taken_up(&state));
}

#[test]
fn an_order_begins_anew_when_what_the_run_was_decided_from_has_moved() {
    for error in [Error::conflict("ownership-moved", "taken by another"), Error::fenced("ownership-lost", "lost")] {
        let state = after(&failed("take-ownership", error));
        assert_eq!(resumption(&state), Resumption::Leave);
        assert!(!taken_up(&state));
    }
}

#[test]
fn what_failed_otherwise_waits_for_an_order_that_goes_on_with_it() {
    let state = after(&failed("open-logs", Error::retry("step-deadline", "too late")));
    assert_eq!(resumption(&state), Resumption::Leave);
    assert!(taken_up(&state));
}

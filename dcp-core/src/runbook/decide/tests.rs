use proptest::prelude::*;

use super::*;
use crate::digest::Digest;
use crate::fence::Term;
use crate::ids::{HolderId, RegionId, RunId, StepId};
use crate::ports::Facts;
use crate::runbook::entry::JournalEntry;
use crate::runbook::plan::Plan;
use crate::runbook::run::Runs;

const STEPS: usize = 4;

fn step(place: usize) -> Step {
    let step = Step::new(StepId::new(format!("s{place}")).unwrap(), 1, "act")
        .with_deadline(Duration::from_millis(1_000))
        .with_poll(Duration::from_millis(10));
    if place == 1 { step } else { step.with_compensation("undo") }
}

fn run() -> RunId {
    RunId::new("r").unwrap()
}

fn opened() -> Runs {
    let plan = Plan::new("test", "s", (0..STEPS).map(step).collect()).unwrap();
    let term = Term { issuer: RegionId::new("c").unwrap(), holder: HolderId::new("h").unwrap(), revision: 1 };
    let mut runs = Runs::default();
    runs.take_in(&JournalEntry::RunOpened { run: run(), digest: plan.digest(), plan, term }).unwrap();
    runs
}

fn settle(step: &Step, purpose: Purpose, result: StepResult) -> JournalEntry {
    JournalEntry::Outcome { run: run(), step: step.id.clone(), direction: purpose.direction(), result }
}

fn intend(runs: &Runs, step: &Step, purpose: Purpose) -> JournalEntry {
    let attempt = runs.get(&run()).unwrap().step(&step.id, purpose.direction()).attempts + 1;
    let (direction, nonce) = (purpose.direction(), Digest::of(b"nonce"));
    JournalEntry::Intent { run: run(), step: step.id.clone(), direction, nonce, attempt }
}

// How the world treats one piece of work: its intent is written and lost sight of, it fails before
// or after the intent, or it goes well; or the operator cancels.
#[derive(Debug, Clone, Copy)]
enum Turn {
    Well,
    Crash,
    FailsBefore,
    FailsAfter,
    Cancel,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        6 => Just(Turn::Well),
        2 => Just(Turn::Crash),
        1 => Just(Turn::FailsBefore),
        1 => Just(Turn::FailsAfter),
        1 => Just(Turn::Cancel),
    ];
    proptest::collection::vec(turn, 0..60)
}

fn entries(runs: &Runs, step: &Step, purpose: Purpose, turn: Turn) -> Vec<JournalEntry> {
    let good = match purpose {
        Purpose::Do => StepResult::Done { facts: Facts::new() },
        Purpose::Undo => StepResult::Compensated { facts: Facts::new() },
        Purpose::Prove => return vec![settle(step, purpose, StepResult::NotApplied)],
    };
    let bad = StepResult::Failed { error: Error::refused("no", "no") };
    let intent = intend(runs, step, purpose);
    match turn {
        Turn::Well | Turn::Cancel => vec![intent, settle(step, purpose, good)],
        Turn::Crash => vec![intent],
        Turn::FailsBefore => vec![settle(step, purpose, bad)],
        Turn::FailsAfter => vec![intent, settle(step, purpose, bad)],
    }
}

proptest! {
    // Whatever happens to a run, its steps are done in order and undone in reverse, each at most
    // once, and the journal never refuses what the rules decide.
    #[test]
    fn steps_are_done_in_order_and_undone_in_reverse(turns in turns()) {
        let mut runs = opened();
        let mut trace: Vec<(Direction, StepId)> = Vec::new();
        for turn in turns.into_iter().chain(std::iter::repeat_n(Turn::Well, 3 * STEPS)) {
            let state = runs.get(&run()).unwrap().clone();
            if matches!(turn, Turn::Cancel) && state.status() == RunStatus::Open {
                runs.take_in(&JournalEntry::RunCancelling { run: run(), reason: "test".to_owned() }).unwrap();
                continue;
            }
            match next_work(&state) {
                Work::Ended(_) => break,
                Work::Close(result) => runs.take_in(&JournalEntry::RunClosed { run: run(), result }).unwrap(),
                Work::Step(step, purpose) => {
                    for entry in entries(&runs, step, purpose, turn) {
                        runs.take_in(&entry).unwrap();
                        if let JournalEntry::Outcome { direction, step, result, .. } = entry
                            && matches!(result, StepResult::Done { .. } | StepResult::Compensated { .. })
                        {
                            trace.push((direction, step));
                        }
                    }
                }
            }
        }
        let state = runs.get(&run()).unwrap();
        prop_assert!(matches!(state.status(), RunStatus::Closed(_)), "never closed: {:?}", state.status());
        let of = |wanted| trace.iter().filter(move |(direction, _)| *direction == wanted).map(|(_, id)| id.clone());
        let done: Vec<_> = of(Direction::Forward).collect();
        let all: Vec<_> = (0..STEPS).map(|place| step(place).id).collect();
        prop_assert!(all.starts_with(&done), "{:?}", done);
        let undone: Vec<_> = of(Direction::Back).collect();
        let expected: Vec<_> = done.iter().rev().filter(|id| id.as_str() != "s1").cloned().collect();
        match state.status() {
            RunStatus::Closed(RunResult::Done) => prop_assert!(undone.is_empty() && done == all),
            _ => prop_assert_eq!(undone, expected),
        }
    }

    // A step that may have acted is probed before anything else is decided.
    #[test]
    fn what_may_have_acted_is_probed_first(attempts in 0_u32..5, which in 0_u8..4) {
        let stage = match which {
            0 => Stage::Untouched,
            1 => Stage::Intended,
            2 => Stage::Failed(Error::retry("x", "x")),
            _ => Stage::NotApplied,
        };
        let attempts = if which == 0 { 0 } else { attempts + u32::from(which == 1) };
        let state = StepState { stage, nonce: None, attempts };
        let now = Moment::from_nanos(5);
        let probed = begin(&state, now) == Move::Probe(now);
        prop_assert_eq!(probed, attempts > 0 && which != 3);
    }

    // No move is planned past the deadline, and none in the past.
    #[test]
    fn moves_keep_to_the_deadline(acts in 0_u32..40, elapsed in 0_u64..1_500, kind in 0_u8..4) {
        let start = Moment::from_nanos(1_000);
        let now = start.after(Duration::from_millis(elapsed));
        let mut course = Course::new(&step(0), Purpose::Do, start);
        for _ in 0..acts {
            course = course.acted(Err(Failure::NotApplied(Error::retry("busy", "busy"))));
        }
        let next = match kind {
            0 => after_ready(&course, Ok(Readiness::NotYet("x".to_owned())), now),
            1 => after_took(&course, Ok(Taken::NotYet("x".to_owned())), now),
            2 => after_took(&course, Ok(Taken::No), now),
            _ => after_took(&course, Err(Error::retry("x", "x")), now),
        };
        match next {
            Move::AskReady(at) | Move::Act(at) | Move::Probe(at) => {
                prop_assert!(at >= now && (at <= course.deadline || at == now), "{:?} after {:?}", at, course.deadline);
            }
            Move::Settle(StepResult::Failed { error }) => prop_assert_eq!(error.code(), "step-deadline"),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

fn course(failure: Option<Failure>) -> Course {
    Course::new(&step(0), Purpose::Do, Moment::from_nanos(0)).acted(failure.map_or(Ok(()), Err))
}

#[test]
fn an_effect_that_is_there_counts_whatever_the_act_answered() {
    let fenced = Failure::NotApplied(Error::fenced("stale", "stale"));
    let next = after_took(&course(Some(fenced)), Ok(Taken::Yes(Facts::new())), Moment::from_nanos(1));
    assert_eq!(next, Move::Settle(StepResult::Done { facts: Facts::new() }));
}

#[test]
fn a_rule_that_says_no_fails_the_step_at_once() {
    for error in [Error::fenced("e", "e"), Error::refused("e", "e"), Error::invalid("e", "e"), Error::corrupt("e", "e")]
    {
        let next = after_took(&course(Some(Failure::NotApplied(error.clone()))), Ok(Taken::No), Moment::from_nanos(1));
        assert_eq!(next, Move::Settle(StepResult::Failed { error }));
    }
}

#[test]
fn what_the_step_decided_from_is_read_again_after_a_conflict() {
    let conflict = Failure::NotApplied(Error::conflict("moved", "moved"));
    let now = Moment::from_nanos(1);
    let next = after_took(&course(Some(conflict)), Ok(Taken::No), now);
    assert_eq!(next, Move::AskReady(now.after(Duration::from_millis(10))));
}

#[test]
fn a_resumed_step_that_is_not_there_asks_its_precondition_again() {
    let fresh = Course::new(&step(0), Purpose::Do, Moment::from_nanos(0));
    let now = Moment::from_nanos(7);
    assert_eq!(after_took(&fresh, Ok(Taken::No), now), Move::AskReady(now));
    assert_eq!(after_ready(&fresh, Ok(Readiness::Ready), now), Move::Intend);
}

use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;

use super::{Conditions, Direction, Fault, FaultKind, FaultPlan, World, run};
use crate::clock::{Clock as _, TokioClock};

const ALL: &str = "0ms cut west -> central; 0ms cut west -> witness:client; 5ms pause a; 10ms link a to-client \
    delay-ms=30 jitter-ms=5 bytes-per-second=1000 stalled reset-after=3; 10ms link a to-server; 20ms reset a; \
    30ms resume a; 40ms kill a; 50ms restart a; 60ms heal west -> central; 70ms heal west -> witness:client";

fn plan(line: &str) -> FaultPlan {
    line.parse().unwrap()
}

#[test]
fn every_kind_is_printed_and_parsed_again() {
    assert_eq!(plan(ALL).to_string(), ALL);
    let written = serde_json::to_string(&plan(ALL)).unwrap();
    assert_eq!(serde_json::from_str::<FaultPlan>(&written).unwrap(), plan(ALL));
    assert!(plan("").is_empty() && plan(" ; ").is_empty());
}

#[test]
fn faults_are_put_in_order_of_time_and_stay_in_their_own() {
    assert_eq!(plan("9ms pause b; 3ms kill d; 3ms pause c").to_string(), "3ms kill d; 3ms pause c; 9ms pause b");
}

#[test]
fn refuses_what_is_no_plan() {
    for line in [
        "pause a",
        "0 pause a",
        "0ms pause",
        "0ms pause a b",
        "0ms pause A",
        "0ms break a",
        "0ms cut a b",
        "0ms cut a -> a",
        "0ms cut a -> b:",
        "0ms cut a -> b:c:d",
        "0ms link a sideways",
        "0ms link a to-client fast",
        "0ms link a to-client delay-ms=x",
        "90000000ms pause a",
        "0ms pause a; 1ms pause a",
        "0ms kill a; 1ms resume a",
        "0ms kill a; 1ms kill a",
        "0ms pause a; 1ms restart a",
        "0ms cut a -> b; 1ms cut a -> b",
        "0ms heal a -> b; 1ms heal a -> b",
    ] {
        let error = line.parse::<FaultPlan>().unwrap_err();
        assert_eq!(error.code(), "bad-fault-plan", "{line}");
    }
    let many = vec![Fault { at: Duration::ZERO, kind: FaultKind::Reset { place: "a".to_owned() } }; 1_001];
    assert!(FaultPlan::new(many).is_err());
    let odd = Fault { at: Duration::from_micros(1), kind: FaultKind::Reset { place: "a".to_owned() } };
    assert!(FaultPlan::new(vec![odd]).is_err());
}

#[test]
fn what_is_left_hurt_is_undone_and_nothing_else() {
    let undone = |line: &str| plan(line).undone().to_string();
    assert_eq!(undone(ALL), "0ms link a to-client");
    assert_eq!(undone("0ms pause a; 1ms kill a; 2ms pause b"), "0ms restart a; 0ms resume b");
    assert_eq!(undone("0ms cut a -> b; 1ms cut b -> a; 2ms heal a -> b"), "0ms heal b -> a");
    assert_eq!(undone("0ms link a to-client stalled; 1ms link a to-client"), "");
    assert_eq!(undone("0ms resume a; 1ms reset a"), "");
}

#[test]
fn the_smallest_plan_that_still_fails_is_found() {
    let fails = |plan: &FaultPlan| plan.to_string().contains("kill a");
    assert_eq!(plan(ALL).smallest(fails).to_string(), "40ms kill a");
}

#[derive(Default)]
struct Toy(Vec<String>);

#[async_trait]
impl World for Toy {
    async fn strike(&mut self, kind: &FaultKind) -> Result<(), String> {
        if let FaultKind::Reset { place } = kind {
            return Err(format!("nobody is connected to {place}"));
        }
        self.0.push(kind.to_string());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_done_at_its_times_and_stops_at_what_has_no_effect() {
    let (clock, mut toy) = (TokioClock::new(), Toy::default());
    let began = clock.now();
    let fired = run(&plan("0ms pause a; 500ms resume a"), &clock, &mut toy).await.unwrap();
    assert_eq!(clock.now().since(began), Duration::from_millis(500));
    assert_eq!(fired[1].to_string(), "500ms resume a (in effect at 500ms)");
    let error = run(&plan("0ms kill b; 1ms reset b; 2ms kill c"), &clock, &mut toy).await.unwrap_err();
    let words = "fault 2 of the plan, \"1ms reset b\", was not done: nobody is connected to b";
    assert_eq!(error.to_string(), words);
    assert_eq!(toy.0, ["pause a", "resume a", "kill b"]);
}

fn any_kind() -> impl Strategy<Value = FaultKind> {
    let place = prop::sample::select(vec!["west", "central", "witness", "postgres-a"]).prop_map(str::to_owned);
    let port = prop::option::of(prop::sample::select(vec!["sql", "client"]).prop_map(str::to_owned));
    let conditions = (0..3_u64, 0..3_u64, 0..3_u64, any::<bool>(), prop::option::of(any::<u64>()));
    (0..8, place.clone(), place, port, any::<bool>(), conditions).prop_map(|(kind, place, to, port, back, drawn)| {
        let from = place.clone();
        let (delay_ms, jitter_ms, bytes_per_second, stalled, reset_after) = drawn;
        match kind {
            0 => FaultKind::Pause { place },
            1 => FaultKind::Resume { place },
            2 => FaultKind::Kill { place },
            3 => FaultKind::Restart { place },
            4 => FaultKind::Cut { from, to, port },
            5 => FaultKind::Heal { from, to, port },
            6 => FaultKind::Reset { place },
            _ => FaultKind::Link {
                place,
                direction: Direction::BOTH[usize::from(back)],
                conditions: Conditions { delay_ms, jitter_ms, bytes_per_second, stalled, reset_after },
            },
        }
    })
}

proptest! {
    #[test]
    fn any_plan_is_printed_parsed_and_undone(drawn in prop::collection::vec((0..100_u64, any_kind()), 0..12)) {
        let faults = drawn.into_iter().map(|(at, kind)| Fault { at: Duration::from_millis(at), kind });
        // What contradicts those before it is left out.
        let mut plan = FaultPlan::default();
        for fault in faults {
            let longer = plan.faults().iter().cloned().chain([fault]).collect();
            plan = FaultPlan::new(longer).unwrap_or(plan);
        }
        prop_assert_eq!(&plan.to_string().parse::<FaultPlan>().unwrap(), &plan);
        // What undoes it can follow it, and leaves nothing to undo.
        let undone = plan.undone().faults().iter().map(|fault| Fault { at: super::LATEST, ..fault.clone() }).collect::<Vec<_>>();
        let whole = FaultPlan::new(plan.faults().iter().cloned().chain(undone).collect()).unwrap();
        prop_assert!(whole.undone().is_empty());
    }
}

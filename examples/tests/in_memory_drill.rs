//! The drill in memory, on paused time, over real order lines.

// Helpers of tests panic as tests do.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use dcp_core::clock::SeededEntropy;
use dcp_core::ports::failpoints::points;
use dcp_core::runbook::{ExportLine, JournalEntry};
use examples::drill::steps::steps_of;
use examples::foundation::Foundation;
use examples::orders::{Home, Orders};
use examples::simulation::plan::CrashAt;
use examples::simulation::{Defect, PlaneStory, Report, StoryPlan, drill, operators, planes};

fn orders(lines: u64) -> Arc<Orders> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join("online-retail.csv.zst");
    Arc::new(Orders::bundled(&path, Some(lines)).unwrap())
}

fn all_lines() -> &'static Arc<Orders> {
    static LINES: OnceLock<Arc<Orders>> = OnceLock::new();
    LINES.get_or_init(|| orders(1_000))
}

fn tell(plan: StoryPlan, defect: Option<Defect>) -> Report {
    drill(plan, 1, defect, all_lines()).unwrap()
}

// The story of a plan without a defect, told once for all tests.
fn sound(plan: StoryPlan) -> Arc<Report> {
    static TOLD: Mutex<BTreeMap<&str, Arc<Report>>> = Mutex::new(BTreeMap::new());
    let mut told = TOLD.lock().unwrap();
    Arc::clone(told.entry(plan.name).or_insert_with(|| Arc::new(tell(plan, None))))
}

#[test]
fn every_plan_passes() {
    for plan in StoryPlan::all().into_iter().filter(|plan| !plan.dark.is_empty()) {
        let report = sound(plan);
        println!("{}: {:?} {:?}", report.plan, report.happened, report.checked);
        assert!(report.passed(), "{}", report.replay());
    }
}

#[test]
fn without_a_blackout_nothing_is_proved() {
    let report = tell(StoryPlan::named("no-blackout").unwrap(), None);
    assert!(report.findings.is_empty() && !report.vacuous.is_empty(), "{}", report.replay());
}

#[test]
fn each_defect_is_caught_under_a_plan_that_passes_without_it() {
    for (defect, plan, check) in [
        (Defect::VolatileFence, "deposed-process-returns", "F1"),
        (Defect::JournalWithoutSync, "kill-at-takeover", "journal"),
        (Defect::StartsOpen, "restart-closed", "F4"),
        (Defect::NoSecondLeaseCheck, "pause-in-append", "F3"),
        (Defect::SealDoesNotDrain, "slow-append-across-seal", "G4"),
        (Defect::SkipsTail, "tail-on-return", "M1"),
        (Defect::DedupesByVersionAlone, "answer-lost-and-sent-again", "lines"),
        (Defect::IgnoresNonce, "claim-race", "claims"),
        (Defect::ProcessLocalCounter, "kill-at-takeover", "terms"),
    ] {
        let plan = StoryPlan::named(plan).unwrap();
        let sound = sound(plan.clone());
        assert!(sound.passed(), "{}", sound.replay());
        let defective = tell(plan, Some(defect));
        println!("{defect:?} {}: {:?}", defective.plan, defective.failed_checks());
        assert!(defective.failed_checks().contains(check), "{defect:?} was not caught: {}", defective.replay());
    }
}

// On fewer lines, since each boundary is a story of its own.
fn crash_at_each_boundary(home: Home, steps: &[String]) {
    let lines = orders(400);
    for step in steps {
        for point in [points::STEP_INTENT, points::STEP_ACTED, points::STEP_OUTCOME] {
            let crash = CrashAt { step: step.clone(), point, after: 0 };
            let plan = StoryPlan::pause_in_append().over(lines.len()).crashing(home, crash);
            let report = drill(plan, 1, None, &lines).unwrap();
            assert!(report.passed(), "{}", report.replay());
        }
    }
}

fn steps(plan: &str) -> Vec<String> {
    static FOUNDATION: OnceLock<Arc<dcp_core::treaty::Treaty>> = OnceLock::new();
    let treaty = FOUNDATION.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let foundation = Foundation::at(folder.path());
        foundation.create(Duration::from_secs(8), &SeededEntropy::new(1, "steps")).unwrap();
        foundation.treaty().unwrap()
    });
    steps_of(plan, treaty).unwrap()
}

#[test]
fn a_crash_at_any_boundary_of_the_blackout_ends_the_same() {
    crash_at_each_boundary(Home::Central, &steps("blackout"));
}

#[test]
fn a_crash_at_any_boundary_of_the_rejoin_ends_the_same() {
    crash_at_each_boundary(Home::Central, &steps("rejoin"));
}

#[test]
fn a_crash_at_any_boundary_of_the_switchover_ends_the_same() {
    crash_at_each_boundary(Home::West, &steps("switchover"));
}

#[test]
fn the_steps_that_are_crashed_are_all_that_a_story_takes() {
    let report = sound(StoryPlan::pause_in_append());
    let taken = |home: Home| -> BTreeSet<String> {
        let entries = report.journals[home.region()].iter().map(|line| ExportLine::from_json(line).unwrap());
        let steps = entries.filter_map(|line| match line.record().unwrap().entry {
            JournalEntry::Intent { step, .. } => Some(step.to_string()),
            _ => None,
        });
        steps.collect()
    };
    let named = |plans: &[&str]| plans.iter().flat_map(|plan| steps(plan)).collect::<BTreeSet<String>>();
    assert_eq!(taken(Home::Central), named(&["blackout", "rejoin"]));
    assert_eq!(taken(Home::West), named(&["switchover"]));
}

#[test]
fn the_same_seed_gives_the_same_journals_byte_by_byte() {
    let plan = StoryPlan::named("kill-at-takeover").unwrap();
    let (one, other) = (tell(plan.clone(), None), tell(plan.clone(), None));
    assert!(one.passed(), "{}", one.replay());
    assert!(one == other, "two tellings differ: {}", one.replay());
    let another = drill(plan, 2, None, all_lines()).unwrap();
    assert!(another.passed(), "{}", another.replay());
    assert!(one.journals != another.journals, "another seed gave the same journals");
}

#[test]
fn a_renewing_owner_behind_a_dark_link_is_never_taken_over() {
    let report = operators(1, all_lines()).unwrap();
    assert_eq!((report.runs_by_themselves, report.moved), (0, 0));
    let refusal = report.ordered.as_deref().unwrap();
    assert!(refusal.starts_with("take-ownership") && refusal.contains("lease/eu-west-2"), "{refusal}");
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

// `DRILL_LOG=info` shows the regions' own words.
fn holds(story: PlaneStory) {
    if let Ok(log) = std::env::var("DRILL_LOG") {
        let _ = tracing_subscriber::fmt().with_env_filter(log).without_time().try_init();
    }
    let findings = planes(story, 1, all_lines()).unwrap();
    assert!(findings.is_empty(), "{story:?}: {findings:?}");
}

#[test]
fn a_slice_that_was_let_go_of_while_its_run_opens_it_stays_closed() {
    holds(PlaneStory::LetGoWhileOpening);
}

#[test]
fn a_slice_let_go_of_to_a_region_that_goes_dark_is_taken_back() {
    holds(PlaneStory::SuccessorLost);
}

#[test]
fn a_refused_takeover_is_undone_by_the_next_life_of_its_plane() {
    holds(PlaneStory::RefusedAndKilled);
}

#[test]
fn a_run_that_cannot_be_driven_waits_while_its_plane_goes_on() {
    holds(PlaneStory::UnknownAction);
}

#[test]
fn a_takeover_that_is_ordered_again_after_its_end_is_the_same_takeover() {
    holds(PlaneStory::OrderedAgain);
}

#[test]
fn a_stream_that_is_late_in_the_returned_region_is_folded_again() {
    holds(PlaneStory::LateAtHome);
}

/// Tells one story again from what a failure printed, with the regions' own words:
/// `DRILL_PLAN=... DRILL_SEED=... cargo test ... replay -- --ignored --nocapture`.
#[test]
#[ignore = "helper: tells the story that the environment names"]
fn replay() {
    let told = |name: &str| std::env::var(name).ok();
    let log = told("DRILL_LOG").unwrap_or_else(|| "info".to_owned());
    tracing_subscriber::fmt().with_env_filter(log).without_time().init();
    let mut plan = StoryPlan::named(&told("DRILL_PLAN").unwrap()).unwrap();
    if let Some(crash) = told("DRILL_CRASH") {
        plan = plan.crashing_as_named(&crash).unwrap();
    }
    if let Some(dark) = told("DRILL_DARK") {
        plan = plan.going_dark_by(dark.parse().unwrap());
    }
    let lines = orders(told("DRILL_LINES").map_or(1_000, |lines| lines.parse().unwrap()));
    plan = plan.over(lines.len());
    for seed in told("DRILL_SEED").unwrap().split(',') {
        let report = drill(plan.clone(), seed.parse().unwrap(), None, &lines).unwrap();
        println!("{} {}", if report.passed() { "passed" } else { "failed" }, report.replay());
    }
}

//! A region kills itself at a boundary of a step; the run goes on and ends as if it had not.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use dcp_core::clock::{Entropy, SeededEntropy};
use dcp_core::treaty::Treaty;
use examples::drill::steps::steps_of;
use examples::foundation::Foundation;

use super::drill::{Drill, seed};
use super::evidence::{Evidence, has_passed};

const POINTS: [&str; 3] = ["intent", "acted", "outcome"];

fn steps(plan: &str) -> Vec<String> {
    static TREATY: LazyLock<Arc<Treaty>> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let foundation = Foundation::at(folder.path());
        foundation.create(Duration::from_secs(8), &SeededEntropy::new(1, "steps")).unwrap();
        foundation.treaty().unwrap()
    });
    steps_of(plan, &TREATY).unwrap()
}

// Steps of a switchover that have the name of a step of the blackout, which comes first, are
// reached by a crash right before them.
fn crash_before(plan: &str, step: &str) -> Option<&'static str> {
    (plan == "switchover" && steps("blackout").iter().any(|one| one == step)).then_some("release:outcome")
}

// All boundaries of a plan, or as many of them as are wanted, drawn by the seed.
fn boundaries(plan: &str, wanted: usize) -> Vec<(String, &'static str)> {
    let all: Vec<_> = steps(plan).iter().flat_map(|step| POINTS.map(|point| (step.clone(), point))).collect();
    if std::env::var("DRILL_MATRIX").is_ok_and(|matrix| matrix == "full") {
        println!("matrix: {} boundaries of {plan}", all.len());
        return all;
    }
    let entropy = SeededEntropy::new(seed(), plan);
    let mut drawn = BTreeSet::new();
    while drawn.len() < wanted {
        drawn.insert(usize::from(entropy.draw()[0]) % all.len());
    }
    println!("matrix: {wanted} of {} boundaries of {plan}", all.len());
    drawn.into_iter().map(|index| all[index].clone()).collect()
}

fn crash_and_go_on(plan: &str, step: &str, point: &str) {
    println!("crash: {plan} {step}:{point}");
    let drill = Drill::new();
    let boundary = format!("{step}:{point}");
    let before = crash_before(plan, step);
    let first = drill.begin(&["--crash-after", before.unwrap_or(&boundary)]);
    first.with(3).saying(&["SIGKILL", &drill.resume_line()]);
    if before.is_some() {
        drill.resume(&["--crash-after", &boundary]).with(3).saying(&["SIGKILL", &drill.resume_line()]);
    }
    let crashed = Evidence::of(&drill.out());
    assert!(crashed.entries() > 0);
    drill.resume(&[]).with(0);
    let ended = Evidence::of(&drill.out());
    crashed.lives_on_in(&ended);
    ended.moved_there_and_back_once();
    has_passed(&drill.out());
}

fn crash_all(plan: &str, wanted: usize) {
    for (step, point) in boundaries(plan, wanted) {
        crash_and_go_on(plan, &step, point);
    }
}

#[test]
fn boundaries_of_the_blackout() {
    crash_all("blackout", 3);
}

#[test]
fn boundaries_of_the_rejoin() {
    crash_all("rejoin", 3);
}

#[test]
fn boundaries_of_a_switchover() {
    crash_all("switchover", 2);
}

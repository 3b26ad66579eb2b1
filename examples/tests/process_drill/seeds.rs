//! The same seed tells the same story; another one places it elsewhere.

use examples::verdict::Verdict;

use super::drill::Drill;
use super::evidence::{has_passed, record};

// Steps as the plans name them. Runs of one plan differ in their names, which are bound to terms.
fn steps(verdict: &Verdict) -> Vec<(String, String, String)> {
    let name = |id: &str| id.rsplit_once('/').map(|(_, step)| step.to_owned()).unwrap();
    verdict.steps.iter().map(|step| (name(&step.id), step.phase.clone(), step.outcome.clone())).collect()
}

#[test]
fn one_seed_tells_one_story_and_another_a_different_one() {
    let told = |seed: &str| {
        let drill = Drill::new();
        drill.begin(&["--seed", seed]).with(0);
        (has_passed(&drill.out()), record(&drill.out()))
    };
    let (first, again, other) = (told("7"), told("7"), told("8"));
    let ids = |verdict: &Verdict| verdict.steps.iter().map(|step| step.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&first.0), ids(&again.0));
    assert_eq!(steps(&first.0), steps(&again.0));
    assert_eq!(first.0.read_models, again.0.read_models);
    assert_eq!(first.1["run"], again.1["run"]);
    assert_eq!(first.0.faults, again.0.faults);
    assert_ne!(first.1["run"], other.1["run"]);
    assert_ne!(first.0.faults, other.0.faults, "the fault is at the same line");
    assert_eq!(first.0.read_models, other.0.read_models);
}

//! A drill passes however the region goes dark, and the independent checker agrees.

use super::checker::check;
use super::drill::Drill;
use super::evidence::{Evidence, has_passed};

fn passes(dark: &str) -> Drill {
    let drill = Drill::new();
    drill.begin(&["--dark", dark]).with(0);
    let verdict = has_passed(&drill.out());
    let seconds = verdict.takeover_seconds.unwrap();
    assert!(seconds <= verdict.ttl_seconds * 1.001 + 2.0, "the takeover took {seconds} s");
    Evidence::of(&drill.out()).moved_there_and_back_once();
    drill
}

#[track_caller]
fn checked(drill: &Drill) {
    let (sound, said) = check(drill);
    assert!(sound, "{said}");
    assert!(!said.contains("skip"), "{said}");
}

#[test]
#[cfg_attr(without_python3, ignore = "python3 is absent")]
fn paused_and_checked_independently() {
    checked(&passes("pause"));
}

#[test]
#[cfg_attr(without_python3, ignore = "python3 is absent")]
fn killed_and_checked_independently() {
    checked(&passes("kill"));
}

#[test]
#[cfg_attr(without_python3, ignore = "python3 is absent")]
fn cut_off_and_checked_independently() {
    checked(&passes("cut"));
}

#[test]
#[cfg(without_python3)]
fn passes_without_the_checker() {
    for dark in ["pause", "kill", "cut"] {
        passes(dark);
    }
}

#[test]
fn without_a_blackout_nothing_is_proved() {
    let drill = Drill::new();
    drill.begin(&["--no-blackout"]).with(3).saying(&["no blackout was planned"]);
    drill.run(["--verify"]).with(3);
}

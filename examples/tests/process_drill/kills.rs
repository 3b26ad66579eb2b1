//! Kills at random moments: of everything, of one region, of the witness, of a producer.

use std::time::Duration;

use dcp_core::clock::{Entropy, SeededEntropy};
use examples::orders::Home;

use super::drill::{Drill, Running, seed};
use super::evidence::{Evidence, has_passed};
use super::processes::{Process, children, kill};

const POLL: Duration = Duration::from_millis(5);
// Nothing shows in a record that is more than a rename away from being written.
const ENDING: Duration = Duration::from_secs(10);

/// What the seed draws for one kill.
struct Draw([u8; 32]);

impl Draw {
    fn of(victim: &str) -> Self {
        Self(SeededEntropy::new(seed(), victim).draw())
    }

    fn home(&self) -> Home {
        Home::ALL[usize::from(self.0[0] % 2)]
    }

    // When: after this part of the story, and some time later.
    fn phase(&self) -> &'static str {
        const SAID: [&str; 6] =
            ["both regions are open", "goes dark", "has taken over", "is awake", "has rejoined", "s15 is at home"];
        SAID[usize::from(self.0[1]) % SAID.len()]
    }

    fn later(&self) -> Duration {
        Duration::from_millis(u64::from(self.0[2]) * 2)
    }
}

fn wait_until(what: &str, mut shown: impl FnMut() -> bool) {
    for _ in 0..Duration::from_secs(60).as_millis() / POLL.as_millis() {
        if shown() {
            return;
        }
        std::thread::sleep(POLL);
    }
    panic!("{what} has not shown");
}

// Starts a drill and comes to the drawn moment.
fn at_the_moment(drill: &Drill, draw: &Draw) -> Running {
    println!("kill: {:?} after {:?}, {}", draw.later(), draw.phase(), draw.home().region());
    let mut running = Running::start(drill.command(Drill::fresh(&[])));
    wait_until(draw.phase(), || running.said().contains(draw.phase()) || running.has_ended());
    std::thread::sleep(draw.later());
    running
}

fn goes_on(drill: &Drill) {
    let killed = Evidence::of(&drill.out());
    drill.resume(&[]).with(0);
    let ended = Evidence::of(&drill.out());
    killed.lives_on_in(&ended);
    ended.moved_there_and_back_once();
    has_passed(&drill.out());
}

// Kills a child; the drill stops the group and says how to go on.
fn kill_one(victim: &str, is_it: impl Fn(&Process, Home) -> bool) {
    let (drill, draw) = (Drill::new(), Draw::of(victim));
    let running = at_the_moment(&drill, &draw);
    let group = children(running.id());
    let process = group.iter().find(|process| is_it(process, draw.home()));
    process.unwrap_or_else(|| panic!("no {victim} among {group:?}")).kill();
    running.end().with(3).saying(&["ended unplanned", &drill.resume_line()]);
    wait_until("the end of the group", || group.iter().all(Process::is_gone));
    goes_on(&drill);
}

#[test]
fn the_whole_group_is_killed() {
    let (drill, draw) = (Drill::new(), Draw::of("group"));
    let running = at_the_moment(&drill, &draw);
    let group = children(running.id());
    assert!(group.len() >= 4, "{group:?}");
    kill(running.id());
    assert_eq!(running.end().status, None, "it has ended before the kill");
    // Every child dies with it, a stopped one too, with no one left to tell them.
    for _ in 0..ENDING.as_millis() / POLL.as_millis() {
        if group.iter().all(Process::is_gone) {
            break;
        }
        std::thread::sleep(POLL);
    }
    assert!(group.iter().all(Process::is_gone), "outlived the drill: {group:?}");
    goes_on(&drill);
}

#[test]
fn a_region_is_killed() {
    kill_one("region", |process, home| process.is(&["region", "--region", home.region()]));
}

#[test]
fn the_witness_is_killed() {
    kill_one("witness", |process, _| process.arguments.get(1).is_some_and(|command| command == "witness"));
}

#[test]
fn a_producer_is_killed() {
    kill_one("producer", |process, home| process.is(&["producer", "--region", home.region()]));
}

//! Ends that nobody planned: of a server alone, of everything at once; and a machine without the tools.

use std::process::Command;
use std::time::Duration;

use examples::event_store::StoreKind;

use super::drill::{Drill, Running};
use super::evidence::{Evidence, has_passed};
use super::processes::{Process, children, kill};

const POLL: Duration = Duration::from_millis(5);
// A broker on two cores that two more drills use serves after half a minute, and the drill goes on as slowly.
const SHOWN: Duration = Duration::from_secs(300);
const GONE: Duration = Duration::from_secs(10);

fn within(time: Duration, mut shown: impl FnMut() -> bool) -> bool {
    (0..time.as_millis() / POLL.as_millis()).any(|_| {
        std::thread::sleep(POLL);
        shown()
    })
}

pub(super) fn until(running: &mut Running, said: &str) {
    let shown = within(SHOWN, || running.said().contains(said) || running.has_ended());
    assert!(shown && running.said().contains(said), "{said:?} has not shown in:\n{}", running.said());
    assert!(!running.has_ended(), "it has ended after {said:?}:\n{}", running.said());
}

/// The drill's children and theirs: regions, supervisors, servers.
pub(super) fn family(of: u32) -> Vec<Process> {
    let mut family = children(of);
    let mut at = 0;
    while at < family.len() {
        let below = children(family[at].id);
        family.extend(below);
        at += 1;
    }
    family
}

/// The supervisor of a region's server, which names the server's program among its arguments.
pub(super) fn server_of<'a>(family: &'a [Process], region: &str) -> &'a Process {
    let supervisor = family.iter().find(|process| {
        let words = process.arguments.join(" ");
        words.contains("supervise-server") && words.contains(&format!("/servers/{region}/"))
    });
    supervisor.unwrap_or_else(|| panic!("no server of {region} among {family:?}"))
}

fn all_gone(family: &[Process]) {
    assert!(within(GONE, || family.iter().all(Process::is_gone)), "outlived the drill: {family:?}");
}

pub(super) fn resumed(store: StoreKind) {
    let drill = Drill::new();
    let arguments = Drill::fresh(&["--store", store.name(), "--dark", "kill"]);
    let mut running = Running::start(drill.command(arguments));
    until(&mut running, "both regions are open");
    let first = family(running.id());
    // Its supervisor dies, and the server with it.
    server_of(&first, "eu-central-1").kill();
    running.end().with(3).saying(&[
        store.name(),
        "ended unplanned: see ",
        "/servers/eu-central-1/",
        &drill.resume_line(),
    ]);
    all_gone(&first);
    let server_died = Evidence::of(&drill.out());

    // Nobody has to say again which store it is; while it runs, nobody else gets at it.
    let mut running = Running::start(drill.command(["--resume"]));
    until(&mut running, "goes dark");
    let look = drill.run(["dump", "--region", "eu-central-1"]);
    assert!(!running.has_ended(), "it has ended while it was looked at:\n{}", running.said());
    look.with(2).saying(&["in-use"]);
    until(&mut running, "has taken over");
    let second = family(running.id());
    assert!(server_of(&second, "eu-central-1").id > 0 && second.len() > first.len() / 2, "{second:?}");
    kill(running.id());
    assert_eq!(running.end().status, None, "it has ended before the kill");
    all_gone(&second);
    let all_died = Evidence::of(&drill.out());
    server_died.lives_on_in(&all_died);

    drill.resume(&["--store", "embedded"]).with(2).saying(&["its run is of --store"]);
    drill.resume(&[]).with(0);
    let ended = Evidence::of(&drill.out());
    all_died.lives_on_in(&ended);
    ended.moved_there_and_back_once();
    has_passed(&drill.out());
    drill.run(["--verify"]).with(0);
}

/// Everything is killed while a region is lost to the network: it is not started before the survivor has taken over,
/// which an operator orders, since the survivor's plane has seen no renewal in its new life.
pub(super) fn resumed_in_the_dark(store: StoreKind) {
    let drill = Drill::new();
    let mut running = Running::start(drill.command(Drill::fresh(&["--store", store.name(), "--dark", "network"])));
    until(&mut running, "goes dark");
    let first = family(running.id());
    kill(running.id());
    assert_eq!(running.end().status, None, "it has ended before the kill");
    all_gone(&first);
    let died = Evidence::of(&drill.out());

    let mut running = Running::start(drill.command(["--resume"]));
    until(&mut running, "has taken over");
    assert!(!running.said().contains("of eu-west-2 serves"), "{}", running.said());
    running.end().with(0).saying(&["of eu-west-2 serves after", "eu-west-2 is awake"]);
    let ended = Evidence::of(&drill.out());
    died.lives_on_in(&ended);
    ended.moved_there_and_back_once();
    let verdict = has_passed(&drill.out());
    assert!(verdict.faults.iter().any(|fault| fault.kind == "network" && fault.fired), "{:?}", verdict.faults);
}

pub(super) fn tools_missing(store: StoreKind) {
    let drill = Drill::new();
    let mut bare: Command = drill.command(Drill::fresh(&["--store", store.name()]));
    bare.env("PATH", drill.beside("nothing"));
    Running::start(bare).end().with(2).saying(&["is missing; cure: "]);
    assert!(!drill.out().join("drill.json").exists(), "a run was begun that cannot be");
}

//! A drill on servers passes however the region goes dark with its server, and the independent checker
//! agrees.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use examples::event_store::StoreKind;
use examples::orders::Home;

use super::checker::check;
use super::drill::{Drill, Running};
use super::ends::{family, server_of, until};
use super::evidence::{Evidence, has_passed};
use super::processes::Process;

fn passes(store: StoreKind, dark: &str, look: impl FnOnce(&Running)) -> Drill {
    let drill = Drill::new();
    let mut running = Running::start(drill.command(Drill::fresh(&["--store", store.name(), "--dark", dark])));
    until(&mut running, "goes dark");
    look(&running);
    running.end().with(0).saying(&["of eu-west-2 serves after"]);
    let verdict = has_passed(&drill.out());
    let seconds = verdict.takeover_seconds.unwrap();
    assert!(seconds <= verdict.ttl_seconds * 1.001 + 2.0, "the takeover took {seconds} s");
    assert!(verdict.faults.iter().any(|fault| fault.kind == dark && fault.fired), "{:?}", verdict.faults);
    // What the dark server alone held was acknowledged, and has come back from its disk.
    let unreplicated: u64 = verdict.rpo.iter().map(|rpo| rpo.unreplicated_records).sum();
    let lost: u64 = verdict.rpo.iter().map(|rpo| rpo.lost_records).sum();
    assert!(unreplicated >= 100 && lost == 0, "{unreplicated} not replicated, {lost} lost");
    Evidence::of(&drill.out()).moved_there_and_back_once();
    drill
}

#[track_caller]
fn checked(drill: &Drill) {
    // Where python3 is absent this says so, and fails: servers are obtained by its tools.
    let (sound, said) = check(drill);
    assert!(sound && !said.contains("skip"), "{said}");
}

/// The output of a region's server over all its lives.
fn log(drill: &Drill, store: StoreKind, home: Home) -> String {
    let server = format!("{}-a", store.name());
    let path = drill.out().join("servers").join(home.region()).join(server).join("output.log");
    std::fs::read_to_string(path).unwrap()
}

pub(super) fn killed(store: StoreKind) {
    let drill = passes(store, "kill", |_| {});
    // The server itself says that it was not shut down, and recovered; the other one never was.
    let [lost, survivor] = [Home::West, Home::Central].map(|home| log(&drill, store, home));
    let recovered = match store {
        StoreKind::Postgres => "not properly shut down; automatic recovery in progress",
        StoreKind::Kafka => "since no clean shutdown file was found",
        StoreKind::Embedded => unreachable!("a file has no server"),
    };
    assert!(lost.contains(recovered), "{lost}");
    assert!(!survivor.contains(recovered), "{survivor}");
    checked(&drill);
}

pub(super) fn paused(store: StoreKind) {
    // The drill's record says what it meant to do; the kernel says what stands still.
    let stands_still = |running: &Running| {
        let all = family(running.id());
        let of_server = family(server_of(&all, "eu-west-2").id);
        assert!(!of_server.is_empty());
        assert!(of_server.iter().all(Process::is_stopped), "{of_server:?}");
        let region = all.iter().find(|process| process.is(&["region", "--region", "eu-west-2"]));
        assert!(region.is_some_and(Process::is_stopped), "{all:?}");
        let survivor = family(server_of(&all, "eu-central-1").id);
        assert!(!survivor.iter().any(Process::is_stopped), "{survivor:?}");
    };
    checked(&passes(store, "pause", stands_still));
}

pub(super) fn network(store: StoreKind) {
    let cut_off = |running: &Running| {
        let all = family(running.id());
        assert!(!all.iter().any(Process::is_stopped), "{all:?}");
        // Whom nothing listens for says so at once, where packets get through.
        assert_eq!(knock(&all, "eu-west-2"), ErrorKind::TimedOut);
        assert_eq!(knock(&all, "eu-central-1"), ErrorKind::ConnectionRefused);
    };
    checked(&passes(store, "network", cut_off));
}

/// What a connection to a region from outside of its network comes to; its server is in the same network.
fn knock(all: &[Process], region: &str) -> ErrorKind {
    let network = |process: &Process| std::fs::read_link(format!("/proc/{}/ns/net", process.id)).unwrap();
    let of_region = all.iter().find(|process| process.is(&["region", "--region", region])).unwrap();
    let of_server = family(server_of(all, region).id);
    assert!(of_server.iter().any(|process| network(process) == network(of_region)), "{of_server:?}");
    let gate = all.iter().find(|process| {
        process.is(&["gate"]) && !process.is(&["--listen", "127.0.0.1"]) && network(process) == network(of_region)
    });
    let arguments = &gate.unwrap().arguments;
    let address = arguments[arguments.iter().position(|word| word == "--listen").unwrap() + 1].parse().unwrap();
    TcpStream::connect_timeout(&SocketAddr::new(address, 1), Duration::from_secs(1)).unwrap_err().kind()
}

pub(super) fn cut(store: StoreKind) {
    checked(&passes(store, "cut", |_| {}));
}

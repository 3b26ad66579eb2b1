//! A drill on servers passes however the region goes dark with its server, and the independent checker
//! agrees.

use examples::event_store::StoreKind;
use examples::orders::Home;

use super::checker::check;
use super::drill::Drill;
use super::evidence::{Evidence, has_passed};

fn passes(store: StoreKind, dark: &str) -> Drill {
    let drill = Drill::new();
    drill.begin(&["--store", store.name(), "--dark", dark]).with(0).saying(&["of eu-west-2 serves after"]);
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
    let drill = passes(store, "kill");
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
    checked(&passes(store, "pause"));
}

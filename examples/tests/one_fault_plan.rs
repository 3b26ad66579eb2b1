//! One value, two worlds: the fault plan by which a region of the simulation goes dark is done to real servers
//! that stand in regions of the same names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use dcp_core::clock::TokioClock;
use dcp_core::testing::faults::FaultPlan;
use examples::orders::{Home, Orders};
use examples::simulation::{StoryPlan, drill};
use testbed::harness::{self, Case};
use testbed::{Bed, NAMESPACES, TEST, Wanted};

fn main() -> ExitCode {
    let needs = &["postgres"];
    harness::run(&[
        Case { name: "one_plan::pauses_both_worlds", needs, run: &|| told_and_done("pause-in-append", &["postgres"]) },
        Case { name: "one_plan::kills_both_worlds", needs, run: &|| told_and_done("kill", &["postgres"]) },
        Case {
            name: "one_plan::cuts_both_worlds",
            needs: &["postgres", "etcd", NAMESPACES],
            run: &|| told_and_done("cut", &["postgres", "etcd"]),
        },
    ])
}

fn told_and_done(name: &str, servers: &[&str]) {
    let story = StoryPlan::named(name).unwrap().over(400);
    let plan = story.dark.clone();
    // As a line and back it is the same value.
    assert_eq!(plan.to_string().parse::<FaultPlan>().unwrap(), plan);
    println!("{plan}");

    let lines = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join("online-retail.csv.zst");
    let report = drill(story, 1, None, &Arc::new(Orders::bundled(&lines, Some(400)).unwrap())).unwrap();
    assert!(report.passed() && report.dark == plan, "{}", report.replay());

    let names = Home::ALL.map(|home| home.region());
    let cuts = servers.len() > 1;
    let only = servers.iter().map(ToString::to_string).collect();
    let wanted = Wanted { only, namespaces: cuts, witness: cuts, ..Wanted::default() }.in_regions(&names);
    let bed = Arc::new(Bed::start(&wanted, &|line| eprintln!("  {line}")).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = |plan: &FaultPlan| runtime.block_on(bed.run(plan, &TokioClock::new())).unwrap();

    let fired = run(&plan);
    assert_eq!(fired.len(), plan.faults().len());
    let [lost, other] = names;
    bed.server(&format!("postgres-{other}")).unwrap().ask().unwrap();
    let hurt = bed.server(&format!("postgres-{lost}")).unwrap();
    if cuts {
        cut_off(&bed, lost, other);
    } else {
        assert!(hurt.ask().is_err(), "{lost} answers");
    }
    let healed = run(&plan.undone());
    assert_eq!(healed.len(), fired.len());
    hurt.ask().unwrap();
}

// Each way is cut, and a packet is lost on it; the test itself still reaches the region.
fn cut_off(bed: &Bed, lost: &str, other: &str) {
    let network = bed.network().unwrap();
    bed.server(&format!("postgres-{lost}")).unwrap().ask().unwrap();
    for (from, to, server, port) in [
        (lost, other, format!("postgres-{other}"), "sql"),
        (other, lost, format!("postgres-{lost}"), "sql"),
        (lost, "witness", "witness-1".to_owned(), "client"),
        ("witness", lost, format!("postgres-{lost}"), "sql"),
    ] {
        let at = bed.server(&server).unwrap().address(port).unwrap();
        let connect = format!("exec 3<>/dev/tcp/{}/{}", at.ip(), at.port());
        let mut command = network.enter(from).unwrap();
        let reached = command.args(["timeout", "1", "bash", "-c", &connect]).status().unwrap();
        assert!(!reached.success(), "{from} reaches {to}");
        assert!(network.dropped(from, to, None).unwrap() > 0, "{from} -> {to}");
    }
    assert!(network.dropped(TEST, lost, None).is_err(), "that way is not cut");
}

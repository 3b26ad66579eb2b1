//! The drill on real servers, as a user runs it: each region's events in a cluster of its own, which goes
//! dark with the region. The folders, processes and evidence are those of the drill by process.
//!
//! `DRILL_TTL` gives leases more time on a machine that is busy with other work.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "process_drill/checker.rs"]
mod checker;
#[path = "server_drill/dark.rs"]
mod dark;
#[allow(dead_code, reason = "the drill by process uses more of it")]
#[path = "process_drill/drill.rs"]
mod drill;
#[path = "server_drill/ends.rs"]
mod ends;
#[allow(dead_code, reason = "the drill by process uses more of it")]
#[path = "process_drill/evidence.rs"]
mod evidence;
#[path = "server_drill/planted.rs"]
mod planted;
#[allow(dead_code, reason = "the drill by process uses more of it")]
#[path = "process_drill/processes.rs"]
mod processes;

use std::process::ExitCode;

use examples::event_store::StoreKind;
use testbed::NAMESPACES;
use testbed::harness::{self, Case};

/// Leases of drills that nobody gives more, in seconds.
const TTL: f64 = 5.0;

/// Whether its regions lie in network namespaces, and what it does.
type Test = (bool, fn(StoreKind));

const TESTS: &[(&str, Test)] = &[
    ("killed_with_its_server_and_checked_independently", (false, dark::killed)),
    ("paused_with_its_server_and_checked_independently", (false, dark::paused)),
    ("cut_off_with_its_server_and_checked_independently", (false, dark::cut)),
    ("lost_to_the_network_with_its_server_and_checked_independently", (true, dark::network)),
    ("a_server_that_ends_by_itself_and_a_kill_of_everything_lose_nothing", (false, ends::resumed)),
    ("killed_whole_while_a_region_is_lost_to_the_network_goes_on", (true, ends::resumed_in_the_dark)),
    ("without_the_tools_says_what_is_missing", (false, ends::tools_missing)),
    ("finds_a_region_that_starts_open", (false, planted::starts_open)),
    ("finds_that_the_lease_is_not_checked_again", (false, planted::no_second_lease_check)),
    ("finds_a_seal_that_does_not_drain", (false, planted::seal_does_not_drain)),
    ("finds_a_link_that_skips_the_tail", (false, planted::skips_tail)),
];

/// What drills on a store need, in order: on loopback, and in namespaces.
type Needs = [&'static [&'static str]; 2];

const STORES: &[(StoreKind, Needs)] = &[
    (StoreKind::Postgres, [&["postgres"], &["postgres", NAMESPACES]]),
    (StoreKind::Kafka, [&["kafka"], &["kafka", NAMESPACES]]),
];

fn main() -> ExitCode {
    let all = STORES.iter().flat_map(|store| TESTS.iter().map(move |test| (store, test)));
    // Drills by process are named alike, so that whoever leaves them out leaves these out too.
    let named: Vec<_> = all
        .map(|((kind, needs), (name, (apart, test)))| {
            (format!("server_drill::{}::{name}", kind.name()), needs[usize::from(*apart)], move || test(*kind))
        })
        .collect();
    let cases: Vec<Case<'_>> = named.iter().map(|(name, needs, run)| Case { name, needs, run }).collect();
    harness::run(&cases)
}

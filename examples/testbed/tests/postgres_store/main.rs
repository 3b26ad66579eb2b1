//! The Postgres event store on a real server: every clause of its port, readers while transactions are
//! held, and the server killed in the middle of appends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod clocks;
mod crashes;
mod disk_full;
mod encryption;
mod events;
mod locks;
mod migrations;
mod read_only;
mod readers;
mod refusals;
mod server;
mod silence;

use std::process::ExitCode;

use dcp_core::testing::Clause;
use dcp_core::testing::event_store::clauses;
use testbed::harness::{self, Case};

use server::{NEEDS, OnServer, block_on};

fn main() -> ExitCode {
    let clauses: Vec<(String, Clause)> =
        clauses::<OnServer>().into_iter().map(|clause| (name(&clause), clause)).collect();
    let runs: Vec<_> = clauses
        .iter()
        .map(|(_, clause)| {
            || {
                if let Err(violation) = block_on((clause.run)()) {
                    panic!("{} ({}): {violation}", clause.id, clause.demands);
                }
            }
        })
        .collect();
    let mut cases: Vec<Case<'_>> =
        clauses.iter().zip(&runs).map(|((name, _), run)| Case { name, needs: NEEDS, run }).collect();
    cases.extend([
        Case { name: "readers::miss_nothing_while_transactions_are_held", needs: NEEDS, run: &readers::held },
        Case { name: "crashes::what_was_answered_is_there_once", needs: NEEDS, run: &crashes::a_hundred_times },
        Case { name: "refusals::of_bad_input_and_of_foreign_stores", needs: NEEDS, run: &refusals::all },
        Case { name: "encryption::is_made_or_refused_with_the_reason", needs: NEEDS, run: &encryption::all },
        Case { name: "migrations::are_made_once_by_many_at_once", needs: NEEDS, run: &migrations::all },
        Case { name: "locks::a_held_row_is_named_with_its_holder", needs: NEEDS, run: &locks::named },
        Case { name: "silence::of_a_half_open_connection_loses_nothing", needs: NEEDS, run: &silence::half_open },
        Case { name: "read_only::servers_are_refused_and_lose_nothing", needs: NEEDS, run: &read_only::all },
        Case { name: "disk_full::writes_nothing_until_there_is_room", needs: disk_full::NEEDS, run: &disk_full::room },
        Case { name: "clocks::of_the_server_decide_nothing", needs: NEEDS, run: &clocks::far_off },
    ]);
    harness::run(&cases)
}

// As the macro would name it: `postgres::e1_what_append_answered_is_read_back`.
fn name(clause: &Clause) -> String {
    let words = clause.demands.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    format!("postgres::{}_{}", clause.id.to_lowercase(), words.join("_").to_lowercase())
}

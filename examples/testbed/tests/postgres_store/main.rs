//! The Postgres event store on a real server: every clause of its port, readers while transactions are
//! held, and the server killed in the middle of appends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod clocks;
mod crashes;
mod disk_full;
mod encryption;
mod events;
mod history;
mod locks;
mod migrations;
mod pools;
mod read_only;
mod readers;
mod refusals;
mod server;
mod silence;
mod turns;

use std::process::ExitCode;

use dcp_core::testing::event_store::clauses;
use testbed::harness::{self, Case, Clauses};

use server::{NEEDS, OnServer, block_on};

fn main() -> ExitCode {
    let clauses = Clauses::new("postgres", clauses::<OnServer>(), block_on);
    let mut cases = clauses.cases(NEEDS);
    cases.extend([
        Case { name: "readers::miss_nothing_while_transactions_are_held", needs: NEEDS, run: &readers::held },
        Case { name: "crashes::what_was_answered_is_there_once", needs: NEEDS, run: &crashes::a_hundred_times },
        Case { name: "refusals::of_bad_input_and_of_foreign_stores", needs: NEEDS, run: &refusals::all },
        Case { name: "encryption::is_made_or_refused_with_the_reason", needs: NEEDS, run: &encryption::all },
        Case { name: "migrations::are_made_once_by_many_at_once", needs: NEEDS, run: &migrations::all },
        Case { name: "locks::a_held_row_is_named_with_its_holder", needs: NEEDS, run: &locks::named },
        Case { name: "turns::of_two_processes_know_no_stale_tail", needs: NEEDS, run: &turns::taken },
        Case {
            name: "silence::of_all_connections_costs_one_deadline",
            needs: NEEDS,
            run: &silence::of_all_connections,
        },
        Case { name: "silence::of_a_half_open_connection_loses_nothing", needs: NEEDS, run: &silence::half_open },
        Case { name: "read_only::servers_are_refused_and_lose_nothing", needs: NEEDS, run: &read_only::all },
        Case { name: "history::that_went_back_is_neither_read_nor_continued", needs: NEEDS, run: &history::back },
        Case { name: "history::of_a_store_made_anew_is_never_mixed_in", needs: NEEDS, run: &history::anew },
        Case { name: "history::is_counted_from_the_first_commit", needs: NEEDS, run: &history::counted },
        Case { name: "pools::of_another_keep_what_is_promised_or_are_refused", needs: NEEDS, run: &pools::all },
        Case { name: "disk_full::writes_nothing_until_there_is_room", needs: disk_full::NEEDS, run: &disk_full::room },
        Case { name: "clocks::of_the_server_decide_nothing", needs: NEEDS, run: &clocks::far_off },
    ]);
    harness::run(&cases)
}

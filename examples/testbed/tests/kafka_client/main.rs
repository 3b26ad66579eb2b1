//! The Kafka wire client on real brokers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admin;
mod blocking;
mod broker;
mod calls;
mod cuts;
mod cutter;
mod faults;
mod security;

use std::process::ExitCode;

use testbed::harness::{self, Case};

use broker::NEEDS;

fn main() -> ExitCode {
    harness::run(&[
        Case { name: "calls::of_topics_and_offsets", needs: NEEDS, run: &calls::topics_and_offsets },
        Case { name: "calls::of_producers_and_readers", needs: NEEDS, run: &calls::producers_and_readers },
        Case { name: "calls::of_transactions", needs: NEEDS, run: &calls::transactions },
        Case { name: "calls::of_a_blocking_loop", needs: NEEDS, run: &blocking::reads_and_writes },
        Case { name: "security::of_passwords", needs: NEEDS, run: &security::passwords },
        Case { name: "security::of_plain_passwords", needs: NEEDS, run: &security::plain_passwords },
        Case { name: "security::of_permissions", needs: NEEDS, run: &security::permissions },
        Case { name: "security::of_certificates", needs: NEEDS, run: &security::certificates },
        Case { name: "admin::of_settings_and_partitions", needs: NEEDS, run: &admin::settings_and_partitions },
        Case { name: "admin::of_records_and_producers", needs: NEEDS, run: &admin::records_and_producers },
        Case { name: "admin::of_access_rules", needs: NEEDS, run: &admin::access_rules },
        Case { name: "admin::of_groups", needs: NEEDS, run: &admin::groups },
        Case { name: "faults::too_large_or_not_there", needs: NEEDS, run: &faults::too_large },
        Case { name: "faults::a_broker_dies_and_returns", needs: NEEDS, run: &faults::deaths },
        Case { name: "faults::a_leader_moves", needs: NEEDS, run: &faults::moves },
        Case { name: "faults::a_peer_is_silent", needs: NEEDS, run: &faults::silence },
        Case { name: "cuts::of_reads", needs: NEEDS, run: &cuts::reads },
        Case { name: "cuts::of_idempotent_writes", needs: NEEDS, run: &cuts::idempotent_writes },
        Case { name: "cuts::of_plain_writes", needs: NEEDS, run: &cuts::plain_writes },
        Case { name: "cuts::of_transactions", needs: NEEDS, run: &cuts::transactions },
        Case { name: "cuts::of_new_topics", needs: NEEDS, run: &cuts::new_topics },
    ])
}

//! The Kafka event store on a real broker: every clause of its port and of its topics' port, writers of
//! several processes, adopted topics, refusals, and the broker killed in the middle of appends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod adoption;
mod broker;
mod clocks;
mod crashes;
mod disk_full;
mod hanging;
mod reads;
mod refusals;
mod rights;
mod settings_of_topics;
mod steps;
mod writers;

use std::process::ExitCode;

use dcp_core::testing::{broker_admin, event_store};
use testbed::harness::{self, Case, Clauses};

use broker::{NEEDS, OnBroker, TopicsOnBroker, block_on};

fn main() -> ExitCode {
    if let Some(ended) = clocks::other_time() {
        return ended;
    }
    let of_store = Clauses::new("kafka", event_store::clauses::<OnBroker>(), block_on);
    let of_admin = Clauses::new("kafka_topics", broker_admin::clauses::<TopicsOnBroker>(), block_on);
    let mut cases = of_store.cases(NEEDS);
    cases.extend(of_admin.cases(NEEDS));
    let more: [(&str, &dyn Fn()); 23] = [
        ("writers::overtaken_by_another_process", &writers::overtaken),
        ("writers::find_what_was_mirrored_elsewhere", &writers::mirrored_elsewhere),
        ("writers::show_nothing_undecided_or_aborted", &writers::undecided_and_aborted),
        ("writers::write_many_records", &writers::many),
        ("adoption::of_a_topic_that_others_wrote", &adoption::adopted),
        ("refusals::of_bad_input", &refusals::of_bad_input),
        ("refusals::of_another_partition_count", &refusals::of_another_partition_count),
        ("refusals::of_a_record_above_the_limit", &refusals::of_a_record_above_the_limit),
        ("refusals::of_a_topic_made_anew", &refusals::of_a_topic_made_anew),
        ("refusals::of_deleted_records", &refusals::of_deleted_records),
        ("refusals::of_a_lost_state_topic", &refusals::of_a_lost_state_topic),
        ("rights::survive_a_stolen_id", &rights::survive_a_stolen_id),
        ("rights::are_won_by_the_higher_grant", &rights::are_won_by_the_higher_grant),
        ("rights::are_in_doubt_once_the_fence_is_raised", &rights::are_in_doubt_once_the_fence_is_raised),
        ("rights::are_had_of_many_logs_at_once", &rights::are_had_of_many_logs_at_once),
        ("hanging::of_another_log", &hanging::of_another_log),
        ("hanging::of_the_same_epoch", &hanging::of_the_same_epoch),
        ("hanging::of_all_logs", &hanging::of_all_logs),
        ("reads::go_on_after_a_restart", &reads::go_on_after_a_restart),
        ("reads::agree_while_a_log_grows", &reads::agree_while_a_log_grows),
        ("topics::that_lose_records_are_refused", &settings_of_topics::that_lose_records),
        ("topics::with_a_small_limit_take_small_records", &settings_of_topics::with_a_small_limit),
        ("crashes::what_was_answered_is_there_once", &crashes::twenty_times),
    ];
    cases.extend(more.map(|(name, run)| Case { name, needs: NEEDS, run }));
    cases.extend([
        Case { name: "clocks::far_off_lose_nothing", needs: clocks::NEEDS, run: &clocks::far_off },
        Case { name: "disk_full::what_was_answered_is_there_once", needs: disk_full::NEEDS, run: &disk_full::room },
    ]);
    harness::run(&cases)
}

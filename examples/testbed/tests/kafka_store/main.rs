//! The Kafka event store on a real broker: every clause of its port, and the broker killed in the middle
//! of appends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod broker;

use std::process::ExitCode;

use dcp_core::testing::Clause;
use dcp_core::testing::event_store::clauses;
use testbed::harness::{self, Case};

use broker::{NEEDS, OnBroker, block_on};

fn main() -> ExitCode {
    let clauses: Vec<(String, Clause)> =
        clauses::<OnBroker>().into_iter().map(|clause| (name(&clause), clause)).collect();
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
    let cases: Vec<Case<'_>> =
        clauses.iter().zip(&runs).map(|((name, _), run)| Case { name, needs: NEEDS, run }).collect();
    harness::run(&cases)
}

// As the macro would name it: `kafka::e1_what_append_answered_is_read_back`.
fn name(clause: &Clause) -> String {
    let words = clause.demands.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    format!("kafka::{}_{}", clause.id.to_lowercase(), words.join("_").to_lowercase())
}

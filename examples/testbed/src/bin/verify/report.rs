//! The table at the end.

use std::collections::BTreeMap;

use crate::conformance::{Clauses, Row};
use crate::stage::Ended;

/// Sums over all stages.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

/// Prints what ran, what was shown, what failed and what was skipped.
pub(crate) fn print(stages: &[Ended]) -> Totals {
    let mut totals = Totals::default();
    let mut clauses = Clauses::default();
    println!("\n{:<28}{:>8}{:>8}{:>8}{:>9}", "what ran", "passed", "failed", "skipped", "seconds");
    for stage in stages {
        let tally = &stage.tally;
        let skipped = tally.skipped.len() as u64;
        let seconds = stage.took.as_secs_f64();
        println!("{:<28}{:>8}{:>8}{:>8}{seconds:>9.1}", stage.name, tally.passed, tally.failed, skipped);
        totals.passed += tally.passed;
        totals.failed += tally.failed;
        totals.skipped += skipped;
        clauses.absorb(&tally.clauses);
    }
    let mut servers: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, tests) in stages.iter().flat_map(|stage| &stage.tally.servers) {
        *servers.entry(name).or_default() += tests;
    }
    println!("\n{:<28}{:>8}", "server used", "tests");
    for (name, tests) in servers {
        println!("{name:<28}{tests:>8}");
    }
    println!("\n{:<16}{:<56}{:>8}", "contract", "implementation", "clauses");
    for Row { contract, of, passed, all, without } in clauses.rows() {
        let without = if without.is_empty() { String::new() } else { format!("  without {}", without.join(", ")) };
        println!("{contract:<16}{of:<56}{:>8}{without}", format!("{passed}/{all}"));
    }
    list("notes", stages.iter().flat_map(|stage| stage.tally.notes.iter().cloned()));
    list("failed", stages.iter().flat_map(|stage| stage.tally.failures.iter().cloned()));
    let skipped = stages.iter().flat_map(|stage| &stage.tally.skipped);
    list("skipped", skipped.map(|(what, reason)| format!("{what}: {reason}")));
    println!();
    totals
}

fn list(title: &str, lines: impl Iterator<Item = String>) {
    for (number, line) in lines.enumerate() {
        if number == 0 {
            println!("\n{title}");
        }
        println!("  {line}");
    }
}

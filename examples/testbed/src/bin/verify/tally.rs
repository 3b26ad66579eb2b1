//! What a stage's output adds up to. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::conformance::Clauses;
use crate::output::{Line, Outcome};

/// Figures of one stage.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Names of the failed tests, with the target.
    pub(crate) failures: BTreeSet<String>,
    /// What was skipped, each with its reason.
    pub(crate) skipped: Vec<(String, String)>,
    pub(crate) clauses: Clauses,
    pub(crate) notes: Vec<String>,
    /// How many tests ran with each server.
    pub(crate) servers: BTreeMap<String, u64>,
    target: String,
    // Ignored tests of the target that its counts must confirm.
    ignored: u64,
}

impl Tally {
    /// Takes in one line. The counts are cargo's; the names only say what they are about.
    pub(crate) fn add(&mut self, line: Line) {
        match line {
            Line::Target(target) => {
                self.target = target;
                self.ignored = 0;
            }
            Line::Test { name, outcome } => self.ended(&name, outcome),
            Line::Counts { passed, failed, ignored } => {
                self.passed += passed;
                self.failed += failed;
                for _ in self.ignored..ignored {
                    self.skipped.push((self.target.clone(), "a test whose name was not printed".to_owned()));
                }
                self.ignored = 0;
            }
            Line::Note(note) => self.notes.push(note),
            Line::Server { name, tests } => *self.servers.entry(name).or_default() += tests,
        }
    }

    fn ended(&mut self, name: &str, outcome: Outcome) {
        self.clauses.note(&self.target, name, outcome == Outcome::Passed);
        match outcome {
            Outcome::Passed => {}
            Outcome::Failed => {
                self.failures.insert(format!("{} {name}", self.target));
            }
            // No test by itself: a test of the same binary starts it as a process.
            Outcome::Ignored(Some(reason)) if reason.starts_with("helper: ") => self.ignored += 1,
            Outcome::Ignored(reason) => {
                self.ignored += 1;
                let reason = reason.unwrap_or_else(|| "no reason is given".to_owned());
                self.skipped.push((format!("{} {name}", self.target), reason));
            }
        }
    }

    /// Notes a failure that no test counted, such as code that does not compile.
    pub(crate) fn broke(&mut self, what: String) {
        self.failed += 1;
        self.failures.insert(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::read;

    fn tally(text: &str) -> Tally {
        let mut tally = Tally::default();
        text.lines().filter_map(read).for_each(|line| tally.add(line));
        tally
    }

    #[test]
    fn adds_up_targets() {
        let text = "Running tests/a.rs (target/a-1)\ntest x ... ok\ntest y ... FAILED\ntest z ... ignored, no disk\n\
            test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured\n\
            Doc-tests b\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured";
        let tally = tally(text);
        assert_eq!((tally.passed, tally.failed), (3, 1));
        assert_eq!(tally.failures.into_iter().collect::<Vec<_>>(), ["a y"]);
        assert_eq!(tally.skipped, [("a z".to_owned(), "no disk".to_owned())]);
    }

    #[test]
    fn a_process_that_a_test_starts_is_no_skipped_test() {
        let text = "Running tests/a.rs (target/a-1)\ntest x ... ignored, helper: started by y\n\
            test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured";
        assert!(tally(text).skipped.is_empty());
    }

    #[test]
    fn counts_skipped_tests_without_a_name() {
        let tally =
            tally("Running tests/a.rs (target/a-1)\ntest result: ok. 0 passed; 0 failed; 2 ignored; 0 measured");
        assert_eq!(tally.skipped.len(), 2);
    }
}

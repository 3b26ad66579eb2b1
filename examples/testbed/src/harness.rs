//! A test binary's `main` for tests that need servers: it prints what libtest prints, so that the same
//! tools read it, and it can say of a test, while it runs, that a tool is missing. A table of
//! [clauses](Clauses) becomes one case for each clause.

mod clauses;
mod options;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use crate::catalog::recipe;
use crate::deadline::Deadline;
use crate::obtain::lacking;
use crate::supervise;
pub use clauses::Clauses;
use options::Options;

/// One test. It fails by a panic.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// Its name, such as `postgres::answers`.
    pub name: &'a str,
    /// The recipes whose servers it starts, and what it needs of the machine: [`crate::NAMESPACES`],
    /// [`crate::SMALL_DISKS`], [`crate::FAKE_CLOCK`].
    pub needs: &'static [&'static str],
    /// The test.
    pub run: &'a dyn Fn(),
}

impl fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("needs", &self.needs).finish_non_exhaustive()
    }
}

/// How a case ended.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    Passed,
    Failed(String),
    /// Not run, for this reason.
    Skipped(String),
}

/// Runs the cases one after the other, and ends with libtest's exit codes. What cannot run because a tool
/// is missing is listed as ignored, with the tool and its cure; with `--require-all` it fails.
pub fn run(cases: &[Case<'_>]) -> ExitCode {
    supervise::if_asked();
    let options = match Options::of(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(unknown) => {
            eprintln!("error: unrecognized option {unknown}");
            return ExitCode::from(2);
        }
    };
    let chosen: Vec<_> = cases.iter().filter(|case| options.chooses(case.name)).collect();
    if options.list {
        chosen.iter().for_each(|case| println!("{}: test", case.name));
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", chosen.len());
    let watch = Deadline::within(std::time::Duration::ZERO);
    let endings: Vec<_> = chosen.iter().map(|case| end(case, options.require_all)).collect();
    let [mut passed, mut failed, mut skipped] = [0; 3];
    for (case, ending) in chosen.iter().zip(&endings) {
        match ending {
            Ending::Passed => passed += 1,
            Ending::Skipped(_) => skipped += 1,
            Ending::Failed(why) => {
                failed += 1;
                println!("\n---- {} ----\n{why}", case.name);
            }
        }
    }
    for (name, tests) in servers_of(&chosen, &endings) {
        println!("server: {name}, tests: {tests}");
    }
    let (word, left_out) = (if failed == 0 { "ok" } else { "FAILED" }, cases.len() - chosen.len());
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured; \
         {left_out} filtered out; finished in {:.2}s\n",
        watch.waited().as_secs_f64()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

// Servers with their versions, and how many tests were run with each.
fn servers_of(cases: &[&Case<'_>], endings: &[Ending]) -> BTreeMap<String, usize> {
    let mut servers = BTreeMap::new();
    let ran = cases.iter().zip(endings).filter(|(_, ending)| !matches!(ending, Ending::Skipped(_)));
    for recipe in ran.flat_map(|(case, _)| case.needs).filter_map(|need| recipe(need)) {
        *servers.entry(format!("{} {}", recipe.name, recipe.version)).or_default() += 1;
    }
    servers
}

fn end(case: &Case<'_>, require_all: bool) -> Ending {
    let absent = case.needs.iter().find_map(|need| lacking(need).map(|error| error.to_string()));
    let ending = match absent {
        Some(reason) if require_all => Ending::Failed(reason),
        Some(reason) => Ending::Skipped(reason),
        None => match catch_unwind(AssertUnwindSafe(case.run)) {
            Ok(()) => Ending::Passed,
            Err(panic) => Ending::Failed(words(panic.as_ref())),
        },
    };
    let word = match &ending {
        Ending::Passed => "ok".to_owned(),
        Ending::Failed(_) => "FAILED".to_owned(),
        Ending::Skipped(reason) => format!("ignored, {reason}"),
    };
    println!("test {} ... {word}", case.name);
    ending
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn case<'a>(needs: &'static [&'static str], run: &'a dyn Fn()) -> Case<'a> {
        Case { name: "a::b", needs, run }
    }

    #[test]
    fn a_panic_fails_and_its_words_are_kept() {
        assert_eq!(end(&case(&[], &|| {}), true), Ending::Passed);
        assert_eq!(end(&case(&[], &|| panic!("no {}", 1)), true), Ending::Failed("no 1".to_owned()));
    }

    #[test]
    fn what_is_missing_is_skipped_with_its_reason_or_fails() {
        let needs_more = case(&["no-such-server"], &|| panic!("it must not run"));
        let reason = lacking("no-such-server").unwrap().to_string();
        assert_eq!(end(&needs_more, false), Ending::Skipped(reason.clone()));
        assert_eq!(end(&needs_more, true), Ending::Failed(reason));
    }
}

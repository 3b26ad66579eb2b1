//! `cargo verify`: runs every test of every crate with every feature, and the independent checker's
//! own test, and says what ran, what failed and what was skipped, with the reasons.
//!
//! Tests that need servers start and stop them by themselves; what is missing for one is listed with its cure.

mod conformance;
mod output;
mod report;
mod stage;
mod tally;

use std::process::ExitCode;

use clap::Parser;

use crate::report::print;
use crate::stage::{run, stages};

/// Runs all tests. Ends with the line `N passed, N failed, N skipped`.
#[derive(Debug, Parser)]
#[command(name = "cargo verify", version)]
struct Options {
    /// Crashes the drill by process at every boundary of every step, and prints how many there are.
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// Leaves out the drills by process; they count as skipped.
    #[arg(long)]
    quick: bool,
    /// A skipped test is an error.
    #[arg(long)]
    require_all: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let ended: Vec<_> = stages(&options).into_iter().map(run).collect();
    let totals = print(&ended);
    let short = options.require_all && totals.skipped > 0;
    if short {
        println!("skipped tests are errors here (--require-all)");
    }
    println!("{} passed, {} failed, {} skipped", totals.passed, totals.failed, totals.skipped);
    ExitCode::from(u8::from(totals.failed > 0 || short))
}

//! `drill`: the two-region blackout drill, and the programs that it runs.

use std::process::ExitCode;

use examples::region::Plain;

fn main() -> ExitCode {
    examples::command::main(&Plain)
}

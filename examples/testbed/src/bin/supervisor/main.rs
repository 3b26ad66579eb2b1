//! The parent of one server, for programs whose own `main` cannot be it, such as a test binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    testbed::supervise::run(std::env::args_os().skip(1))
}

//! Real servers: obtained, started, asked in their own protocol, hurt, and gone with their owner.

mod each;
mod outliving;
mod over_tls;
mod speak;

use std::process::ExitCode;

use testbed::harness::{self, Case};

fn main() -> ExitCode {
    // A process of its own, whose death a test looks at.
    if std::env::args().nth(1).as_deref() == Some(outliving::OWNER) {
        return outliving::own();
    }
    let cases: Vec<Case> = [each::CASES, outliving::CASES, over_tls::CASES].concat();
    harness::run(&cases)
}

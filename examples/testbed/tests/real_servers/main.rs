//! Real servers: obtained, started, asked in their own protocol, hurt, and gone with their owner.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod brokers;
mod command;
mod each;
mod identities;
mod kept;
mod network;
mod obtaining;
mod outliving;
mod plans;
mod postgres_users;
mod scram;
mod speak;
mod tls;

use std::process::ExitCode;

use testbed::harness::{self, Case};

fn main() -> ExitCode {
    // A process of its own, whose death a test looks at.
    if std::env::args().nth(1).as_deref() == Some(outliving::OWNER) {
        return outliving::own();
    }
    if std::env::args().nth(1).as_deref() == Some(kept::OPENER) {
        return kept::open();
    }
    let cases: Vec<Case<'_>> = [
        each::CASES,
        brokers::CASES,
        identities::CASES,
        postgres_users::CASES,
        network::CASES,
        plans::CASES,
        outliving::CASES,
        kept::CASES,
        command::CASES,
        obtaining::CASES,
    ]
    .concat();
    harness::run(&cases)
}

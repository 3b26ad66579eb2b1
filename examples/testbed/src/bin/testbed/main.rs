//! `cargo testbed`: real servers on this machine, up, hurt and down.

mod options;
mod progress;
mod run;
mod show;
mod up;

use std::process::ExitCode;

use clap::Parser as _;
use options::{Options, What};
use testbed::{Error, keeper, supervise};

fn main() -> ExitCode {
    supervise::if_asked();
    let ended = match Options::parse().what {
        What::Up(wanted) => up::up(&wanted),
        What::Status { json } => keeper::status().map(|states| show::states(states, json)),
        What::Down => keeper::down().map(show::gone),
        What::Logs { name, lines } => show::log(&name, lines),
        What::Fault { name, fault } => keeper::fault(&name, fault.into()).map(|states| show::states(states, false)),
        What::Run(wanted) => run::run(&wanted),
        What::Obtain { only } => up::obtain_all(&only),
        What::Keep(wanted) => return up::keep(&wanted),
    };
    ended.unwrap_or_else(|error: Error| {
        eprintln!("testbed: {error}");
        ExitCode::FAILURE
    })
}

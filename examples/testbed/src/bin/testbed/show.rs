//! What the commands print.

use std::fs;
use std::process::ExitCode;

use testbed::keeper::{self, State};
use testbed::{Address, Error};

pub(crate) fn addresses(addresses: &[Address], json: bool) {
    if json {
        println!("{}", serde_json::to_string_pretty(addresses).unwrap_or_default());
        return;
    }
    for address in addresses {
        let ports: Vec<_> = address.ports.iter().map(|(name, at)| format!("{name} {at}")).collect();
        println!("{:<12} {:<8} {}", address.name, address.version, ports.join(", "));
    }
}

pub(crate) fn states(states: Option<Vec<State>>, json: bool) -> ExitCode {
    let Some(states) = states else { return none() };
    if json {
        println!("{}", serde_json::to_string_pretty(&states).unwrap_or_default());
    } else {
        for state in &states {
            let process = state.pid.map_or_else(|| "no process".to_owned(), |pid| format!("process {pid}"));
            let answer = state.answer.as_ref().unwrap_or_else(|why| why);
            println!("{:<12} {:<8} {process:<16} {answer}", state.address.name, state.address.version);
        }
    }
    ExitCode::from(u8::from(states.iter().any(|state| state.answer.is_err())))
}

pub(crate) fn gone(states: Option<Vec<State>>) -> ExitCode {
    let Some(states) = states else { return none() };
    println!("{} servers are let go", states.len());
    ExitCode::SUCCESS
}

pub(crate) fn log(name: &str, lines: usize) -> Result<ExitCode, Error> {
    let Some(states) = keeper::status()? else { return Ok(none()) };
    let Some(state) = states.iter().find(|state| state.address.name == name) else {
        let known: Vec<_> = states.iter().map(|state| state.address.name.as_str()).collect();
        eprintln!("testbed: there is no {name}; there is {}", known.join(", "));
        return Ok(ExitCode::FAILURE);
    };
    match fs::read(&state.address.log) {
        Ok(text) => {
            let text = String::from_utf8_lossy(&text);
            let all: Vec<_> = text.lines().collect();
            all[all.len().saturating_sub(lines)..].iter().for_each(|line| println!("{line}"));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("testbed: {}: {error}", state.address.log.display());
            Ok(ExitCode::FAILURE)
        }
    }
}

fn none() -> ExitCode {
    println!("no testbed is up: cargo testbed up");
    ExitCode::FAILURE
}

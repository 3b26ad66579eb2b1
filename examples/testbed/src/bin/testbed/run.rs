//! `run`: a command with the servers' addresses in its environment.

use std::io::Write as _;
use std::process::{Command as Process, ExitCode};

use testbed::shared::ADDRESSES;
use testbed::{Address, Bed, Error, keeper};

use crate::options::Command;
use crate::progress::Shown;
use crate::up;

/// Runs it on the testbed that is up, or on one of its own that ends with it; ends with its exit code.
pub(crate) fn run(options: &Command) -> Result<ExitCode, Error> {
    let (_own, addresses) = match keeper::status()? {
        Some(states) => {
            if options.layout.is_given() {
                up::the_same(&options.layout.wanted().servers()?, &states)?;
            }
            (None, states.into_iter().map(|state| state.address).collect())
        }
        None => {
            let shown = Shown::new();
            let bed = Bed::start(&options.layout.wanted(), &|line| shown.line(line))?;
            let addresses = bed.addresses()?;
            (Some(bed), addresses)
        }
    };
    let failed = |source| Error::Io { doing: format!("run {}", options.command.join(" ")), source };
    let file = written(&addresses).map_err(failed)?;
    let mut process = Process::new(&options.command[0]);
    process.args(&options.command[1..]).env(ADDRESSES, file.path());
    // What is run may be cargo. Where there is no protoc, only what needs one fails, and names it.
    if let Ok(protoc) = testbed::protoc() {
        process.env(testbed::PROTOC, protoc);
    }
    for address in &addresses {
        process.envs(&address.environment);
    }
    let status = process.status().map_err(failed)?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

fn written(addresses: &[Address]) -> std::io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(&serde_json::to_vec_pretty(addresses)?)?;
    Ok(file)
}

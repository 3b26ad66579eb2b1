//! What a keeper can be asked, and what it answers.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::bed::Bed;
use crate::error::Error;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Request {
    Status,
    Down,
    Fault { server: String, fault: Fault },
}

/// What can be done to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// SIGSTOP to all its processes.
    Pause,
    /// SIGCONT.
    Resume,
    /// SIGKILL to all its processes.
    Kill,
    /// Started again, on its data.
    Start,
    /// Asked to stop.
    Stop,
}

/// A server and how it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// Where it is.
    #[serde(flatten)]
    pub address: Address,
    /// Its process, if it runs.
    pub pid: Option<u32>,
    /// What it answers in its own protocol, or why it does not serve.
    pub answer: Result<String, String>,
}

pub(super) fn answer(bed: &Bed, request: &Request) -> Result<Vec<State>, String> {
    let done = match request {
        Request::Status | Request::Down => Ok(()),
        Request::Fault { server, fault } => hurt(bed, server, *fault),
    };
    done.and_then(|()| states(bed)).map_err(|error| error.to_string())
}

fn hurt(bed: &Bed, server: &str, fault: Fault) -> Result<(), Error> {
    let server = bed.server(server)?;
    match fault {
        Fault::Pause => server.pause(),
        Fault::Resume => server.resume(),
        Fault::Kill => server.kill(),
        Fault::Start => server.start(),
        Fault::Stop => server.stop(),
    }
}

fn states(bed: &Bed) -> Result<Vec<State>, Error> {
    let addresses = bed.addresses()?;
    let with = |(address, server): (Address, &std::sync::Arc<crate::server::Server>)| State {
        address,
        pid: server.pid(),
        answer: server.ask(),
    };
    Ok(addresses.into_iter().zip(bed.servers()).map(with).collect())
}

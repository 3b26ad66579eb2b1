//! The child's side of a process that a parent watches: it prints lines, ends with its input, and dies
//! with its parent.

use std::net::SocketAddr;

use dcp_core::Error;
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::producer::Progress;

/// One line of a child's standard output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Line {
    /// It serves at this address.
    Ready {
        /// Where.
        address: SocketAddr,
        /// Where a region takes producers' appends, and nothing else.
        appends: Option<SocketAddr>,
    },
    /// A gate leads from these addresses, in the order of what it leads to.
    Gate {
        /// Where it listens.
        addresses: Vec<SocketAddr>,
    },
    /// A producer's progress.
    Progress {
        /// How far it is.
        progress: Progress,
    },
}

/// Prints one line for the parent. A parent that is gone ends the process by its closed input.
pub fn tell(line: &Line) {
    if let Ok(text) = serde_json::to_string(line) {
        println!("{text}");
    }
}

/// Ends this process with its parent, also when that is killed.
///
/// # Errors
/// `Stopped` if the kernel refuses.
pub fn die_with_parent(parent: Option<u32>) -> Result<(), Error> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|cause| Error::stopped("no-death-signal", cause.to_string()))?;
    // It may have died before the signal was asked for.
    let now = rustix::process::getppid().map(Pid::as_raw_nonzero);
    let same = parent.is_none_or(|parent| now.is_some_and(|now| u32::try_from(now.get()) == Ok(parent)));
    if same { Ok(()) } else { Err(Error::stopped("orphan", "the parent has ended")) }
}

/// Listens at a port of its own, on this machine alone.
///
/// # Errors
/// `Stopped` if there is none.
pub async fn listen() -> Result<(TcpListener, SocketAddr), Error> {
    let none = |cause: std::io::Error| Error::stopped("no-port", cause.to_string());
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(none)?;
    let address = listener.local_addr().map_err(none)?;
    Ok((listener, address))
}

/// Cancels the token when standard input ends: the parent has asked for the end, or is gone.
pub fn stop_with_input(stop: &CancellationToken) {
    let stop = stop.clone();
    // A thread of its own: reading standard input blocks, and nothing waits for its end.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        stop.cancel();
    });
}

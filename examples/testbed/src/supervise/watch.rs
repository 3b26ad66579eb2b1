//! Waits for orders and for the server's end, both at once.

use std::io::{self, Write as _};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, waitpid};

use super::tree;

/// Orders are short words; more than this without a line end is no order.
const ORDER_MAX: usize = 256;

/// Says one line to the process that holds the lifeline. It may be gone; then nobody listens.
pub(super) fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _gone = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Obeys until the server has ended or the lifeline has; then nothing of the server is left.
pub(super) fn until_over(server: Pid) -> io::Result<()> {
    let handle = pidfd_open(server, PidfdFlags::empty())?;
    say(&format!("started {}", server.as_raw_nonzero()));
    let stdin = io::stdin();
    let mut pending = Vec::new();
    loop {
        let mut both = [PollFd::new(&handle, PollFlags::IN), PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut both, None) {
            Err(rustix::io::Errno::INTR) => continue,
            polled => polled?,
        };
        let (ended, heard) = (!both[0].revents().is_empty(), !both[1].revents().is_empty());
        if ended {
            let how = waitpid(Some(server), WaitOptions::empty())?;
            tree::kill_all();
            say(&format!("exited {}", how.map_or_else(|| "unseen".to_owned(), |(_, status)| described(status))));
            return Ok(());
        }
        if heard {
            let mut bytes = [0; ORDER_MAX];
            let read = rustix::io::read(&stdin, &mut bytes)?;
            pending.extend_from_slice(&bytes[..read]);
            if read == 0 || pending.len() > ORDER_MAX {
                tree::kill_all();
                return Ok(());
            }
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                obey(server, String::from_utf8_lossy(&line).trim())?;
            }
        }
    }
}

fn obey(server: Pid, order: &str) -> io::Result<()> {
    match order {
        "pause" => {
            if !tree::pause(server) {
                say("failed pause: some of its processes do not stand still");
                return Ok(());
            }
        }
        "resume" => tree::resume(server),
        // The rest of the tree follows when the server's end is seen.
        "kill" => kill_process(server, Signal::KILL)?,
        "terminate" => kill_process(server, Signal::TERM)?,
        "interrupt" => kill_process(server, Signal::INT)?,
        _ => {
            say(&format!("unknown {order}"));
            return Ok(());
        }
    }
    say(&format!("done {order}"));
    Ok(())
}

fn described(status: rustix::process::WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("with code {code}"),
        (None, Some(signal)) => format!("by signal {signal}"),
        (None, None) => "in an unknown way".to_owned(),
    }
}

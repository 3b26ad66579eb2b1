//! A server's parent: a process whose only work is that nothing of the server outlives its owner.
//!
//! Its standard input is its lifeline: orders come over it, and when it ends, because the process that
//! holds the other end has stopped or was killed with `kill -9`, the server and everything that the server
//! has ever forked is killed. A death signal alone would not do: it belongs to a thread, it reaches one
//! generation only, and a stopped grandchild never hears of it. One thread does everything here, so that
//! the death signal that the server itself carries (against a supervisor that is killed) never fires early.

mod tree;
mod watch;

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, getpid, set_child_subreaper};

use crate::deadline::Deadline;

/// The first argument that makes a program a supervisor.
pub(crate) const ASKED: &str = "supervise-server";

/// A supervisor whose owner is gone kills at once; a process in the middle of a disk write takes a little.
const FREE_WITHIN: Duration = Duration::from_secs(8);

static THIS_PROGRAM_CAN: AtomicBool = AtomicBool::new(false);

/// To be called first in `main`: the program then serves as the supervisor of the servers it starts. Ends
/// the process when it was started as one.
pub fn if_asked() {
    THIS_PROGRAM_CAN.store(true, Ordering::Relaxed);
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == ASKED) {
        let code = run(arguments);
        std::process::exit(i32::from(code != ExitCode::SUCCESS));
    }
}

pub(crate) fn this_program_can() -> bool {
    THIS_PROGRAM_CAN.load(Ordering::Relaxed)
}

/// Starts `LOG -- PROGRAM ARGUMENTS...` and stays until it has ended, or the standard input has.
pub fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(log), Some(_), Some(program)) = (arguments.next(), arguments.next(), arguments.next()) else {
        eprintln!("usage: LOG -- PROGRAM ARGUMENTS...");
        return ExitCode::from(2);
    };
    match start(&log, &program, arguments).and_then(watch::until_over) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            watch::say(&format!("failed {error}"));
            ExitCode::FAILURE
        }
    }
}

fn start(log: &OsString, program: &OsString, arguments: impl Iterator<Item = OsString>) -> io::Result<Pid> {
    // Orphans of the server become children of this process, so that none is lost from sight.
    set_child_subreaper(Some(getpid()))?;
    let log = OpenOptions::new().create(true).append(true).open(log)?;
    // Held by every process of the server, which all have it as their output: whoever starts it again on
    // the same data waits for this lock, and so for the last of them.
    hold(&log, FREE_WITHIN)?;
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()?;
    Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?).ok_or_else(|| io::Error::other("no pid"))
}

/// Locks a server's log as soon as nobody else does, within that time.
pub(crate) fn hold(log: &File, within: Duration) -> io::Result<()> {
    let deadline = Deadline::within(within);
    while let Err(error) = log.try_lock() {
        if !deadline.another_try() {
            return Err(error.into());
        }
    }
    Ok(())
}

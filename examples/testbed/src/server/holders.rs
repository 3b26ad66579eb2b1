//! Processes that still write to a server's log, and so hold it: what a supervisor that was killed has left.
//!
//! A stopped process does not end by the death signal of its parent alone when that was one of another
//! generation: the workers of a paused Postgres stay, stopped, in sessions of their own.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, kill_process};

use crate::error::Error;
use crate::supervise;

/// The supervisor of an owner that was killed kills at once; this long it may take without any help.
const FREE_BY_ITSELF: Duration = Duration::from_secs(2);
/// A process in the middle of a disk write takes a little to die.
const FREE_AFTER_A_KILL: Duration = Duration::from_secs(8);

/// Locks a server's log, and lets go of it again; kills whatever holds it for longer than a supervisor needs.
/// Only for who has the server's folder for itself: then nothing that holds the log has an owner.
pub(super) fn clear(log: &Path) -> Result<(), Error> {
    let held = File::options().create(true).append(true).open(log).map_err(Error::path("open", log))?;
    if supervise::hold(&held, FREE_BY_ITSELF).is_ok() {
        return Ok(());
    }
    for pid in of(&held, log)? {
        // It may have ended in between: that is what is wanted.
        let _ended = kill_process(pid, Signal::KILL);
    }
    supervise::hold(&held, FREE_AFTER_A_KILL).map_err(|error| {
        let left: Vec<_> = of(&held, log).unwrap_or_default().iter().map(ToString::to_string).collect();
        let by = match left.join(" ") {
            none if none.is_empty() => "by processes that this user cannot see".to_owned(),
            pids => format!("by processes that a kill does not end; cure: kill -KILL {pids}"),
        };
        Error::path("lock", log)(std::io::Error::new(error.kind(), format!("held {by}")))
    })
}

// A server's processes have the log as their output; who only reads it holds nothing.
fn of(held: &File, log: &Path) -> Result<Vec<Pid>, Error> {
    let same = |about: &fs::Metadata| (about.dev(), about.ino());
    let log = same(&held.metadata().map_err(Error::path("read", log))?);
    let holds = |pid: Pid| {
        let output = |number: u32| fs::metadata(format!("/proc/{}/fd/{number}", pid.as_raw_nonzero()));
        pid != getpid() && [1, 2].into_iter().any(|number| output(number).is_ok_and(|about| same(&about) == log))
    };
    let processes = fs::read_dir("/proc").map_err(Error::path("read", "/proc"))?.flatten();
    let pids = processes.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    Ok(pids.filter(|pid| holds(*pid)).collect())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_stopped_process_that_holds_a_log_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("output.log");
        let output = File::options().create(true).append(true).open(&log).unwrap();
        output.lock().unwrap();
        let mut command = Command::new("sleep");
        command.arg("600").stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let mut left = command.spawn().unwrap();
        // Its own copies of the log are closed with it: only the process holds the lock then.
        drop(command);
        let pid = Pid::from_child(&left);
        kill_process(pid, Signal::STOP).unwrap();
        let reader = File::open(&log).unwrap();
        assert_eq!(of(&reader, &log).unwrap(), [pid]);
        clear(&log).unwrap();
        assert!(!left.wait().unwrap().success());
        assert!(of(&reader, &log).unwrap().is_empty());
    }
}

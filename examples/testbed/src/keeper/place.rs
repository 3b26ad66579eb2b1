//! The one place of a keeper in a cache directory: a locked file that names its process.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::cache;
use crate::deadline::Deadline;
use crate::error::Error;

const GONE_WITHIN: Duration = Duration::from_secs(10);

fn path() -> Result<PathBuf, Error> {
    Ok(cache::folder("up")?.join("lock"))
}

// Opened and locked, unless another process has it.
fn locked() -> Result<Option<File>, Error> {
    let path = path()?;
    let open = File::options().create(true).append(true).open(&path);
    let held = open.map_err(Error::path("open", &path))?;
    match held.try_lock() {
        Ok(()) => Ok(Some(held)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(Error::path("lock", &path)(error)),
    }
}

/// Takes the place for this process, as long as the answer is held; nothing if another one has it.
pub(super) fn take() -> Result<Option<File>, Error> {
    let Some(mut held) = locked()? else { return Ok(None) };
    let path = path()?;
    let named = held.set_len(0).and_then(|()| writeln!(held, "{}", std::process::id()));
    named.map_err(Error::path("write", &path))?;
    Ok(Some(held))
}

/// Kills the process that has the place and does not answer yet; says whether there was one.
pub(super) fn kill_holder() -> Result<bool, Error> {
    if locked()?.is_some() {
        return Ok(false);
    }
    let path = path()?;
    let text = fs::read_to_string(&path).map_err(Error::path("read", &path))?;
    let known = || std::io::Error::other(format!("it names no process: {text:?}"));
    let pid = text.trim().parse().ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(known).map_err(Error::path("understand", &path))?;
    // The lock is held, so that it lives; it may end in between, which is what is wanted.
    let _ended = kill_process(pid, Signal::KILL);
    let deadline = Deadline::within(GONE_WITHIN);
    while locked()?.is_none() {
        if !deadline.another_try() {
            let why = format!("process {pid} was killed and still holds {}", path.display());
            return Err(Error::io("wait for the testbed that was coming up")(std::io::Error::other(why)));
        }
    }
    Ok(true)
}

//! One network namespace, and the process that holds it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::Error;
use crate::server::{DIES_WITH_PARENT, Supervised};

const MADE_WITHIN: Duration = Duration::from_secs(20);

/// A namespace, as long as this is held.
#[derive(Debug)]
pub(super) struct Space {
    pid: u32,
    _held: Mutex<Supervised>,
}

impl Space {
    /// Makes one.
    pub(super) fn start(name: &str, log: &Path) -> Result<Self, Error> {
        // Each holder locks its log as long as it lives.
        let log = &log.with_file_name(format!("network-{name}.log"));
        let holder = ["unshare", "--net", "--", "sleep", "infinity"];
        let command: Vec<_> = DIES_WITH_PARENT.iter().chain(&holder).map(ToString::to_string).collect();
        let held = Supervised::start(&format!("the network of {name}"), &command, log)?;
        let space = Self { pid: held.pid(), _held: Mutex::new(held) };
        let ours = namespace(Path::new("/proc/self/ns/net"))?;
        let deadline = Deadline::within(MADE_WITHIN);
        // The process is there before it has left our namespace.
        while namespace(&space.file())? == ours {
            if !deadline.another_try() {
                let why = io::Error::other(fs::read_to_string(log).unwrap_or_default());
                return Err(Error::io(format!("make the network of {name}"))(why));
            }
        }
        Ok(space)
    }

    /// The process that holds it.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    fn file(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.pid()))
    }

    /// What stands before a command that is run inside.
    pub(super) fn entering(&self) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--net={}", self.file().display()), "--".to_owned()]
    }

    /// Runs a line of the shell inside.
    pub(super) fn run(&self, script: &str) -> Result<(), Error> {
        self.answer(script).map(drop)
    }

    /// The same, with what it prints.
    pub(super) fn answer(&self, script: &str) -> Result<String, Error> {
        let words = self.entering();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        ended(command, script)
    }
}

/// Runs a line of the shell outside of any namespace of the testbed's.
pub(super) fn run_here(script: &str) -> Result<(), Error> {
    ended(Command::new("env"), script).map(drop)
}

fn ended(mut command: Command, script: &str) -> Result<String, Error> {
    let output = command.args(["sh", "-c", script]).stdin(Stdio::null()).output().map_err(Error::io(script))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let tail = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Error::Command { doing: script.to_owned(), ended: output.status.to_string(), tail })
}

fn namespace(file: &Path) -> Result<PathBuf, Error> {
    fs::read_link(file).map_err(Error::path("read", file))
}

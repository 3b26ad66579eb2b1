//! One drill as a user runs it: a folder of its own, what it printed, its exit status.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use examples::defects::ProcessDefect;

use super::TTL;

/// Lines of each drill.
pub(super) const LINES: u64 = 3_000;
// Two cores: a third drill would starve the leases of the others.
const DRILLS_AT_ONCE: u32 = 2;
const POLL: Duration = Duration::from_millis(10);
// A drill on servers in a debug build takes two minutes on two busy cores; what takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(400);

// Bytes of standard output that a failure shows.
const SHOWN_OF_OUTPUT: usize = 2_000;

static RUNNING: (Mutex<u32>, Condvar) = (Mutex::new(0), Condvar::new());

/// The right to run one drill at a time.
struct Seat;

impl Seat {
    fn take() -> Self {
        let taken = RUNNING.0.lock().unwrap_or_else(PoisonError::into_inner);
        let free = RUNNING.1.wait_while(taken, |taken| *taken >= DRILLS_AT_ONCE);
        *free.unwrap_or_else(PoisonError::into_inner) += 1;
        Self
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        *RUNNING.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        RUNNING.1.notify_one();
    }
}

/// A drill's folder. It is kept, and named, if the test fails.
pub(super) struct Drill {
    folder: Option<tempfile::TempDir>,
    _seat: Seat,
}

impl Drop for Drill {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("the failed drill's evidence: {}", folder.keep().display());
        }
    }
}

/// What became of one run of the binary.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

impl Ended {
    /// Fails unless it ended with this status, without a panic.
    #[track_caller]
    pub(super) fn with(self, status: i32) -> Self {
        // What it said last tells why; a dump is as long as its store.
        let from = (self.out.len().saturating_sub(SHOWN_OF_OUTPUT)..).find(|at| self.out.is_char_boundary(*at));
        let out = &self.out[from.unwrap_or_default()..];
        assert_eq!(self.status, Some(status), "the end of standard output:\n{out}\nstandard error:\n{}", self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    /// Fails unless standard error says all of this.
    #[track_caller]
    pub(super) fn saying(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "{word:?} is missing in:\n{}", self.err);
        }
        self
    }
}

impl Drill {
    /// A fresh folder; waits until another drill may run.
    pub(super) fn new() -> Self {
        let seat = Seat::take();
        Self { folder: Some(tempfile::tempdir().unwrap()), _seat: seat }
    }

    fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// The folder that it is told to work in.
    pub(super) fn out(&self) -> PathBuf {
        self.folder().join("run")
    }

    /// A file beside the run's folder.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The line that goes on with the run, as the drill must print it.
    pub(super) fn resume_line(&self) -> String {
        format!("cargo drill --resume --out {}", self.out().display())
    }

    /// Begins a drill whose regions all have this defect, and runs it to its end. Its lease is longer:
    /// a slow append must outlast the steps before a seal, and be answered within its deadline.
    pub(super) fn begin_with_defect(&self, defect: ProcessDefect, more: &[&str]) -> Ended {
        let lease = (ttl() * 4.0).to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_defective-drill"));
        command.args(["--lines", "3000", "--ttl", &lease]).args(more).arg("--out").arg(self.out());
        command.env("PLANTED_DEFECT", defect.to_string());
        Running::start(command).end()
    }

    /// The binary with arguments and this folder.
    pub(super) fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drill"));
        command.args(arguments).arg("--out").arg(self.out());
        command
    }

    /// Runs the binary to its end.
    pub(super) fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ended {
        Running::start(self.command(arguments)).end()
    }

    /// Arguments of a fresh drill, with more of them.
    pub(super) fn fresh(more: &[&str]) -> Vec<String> {
        let lease = ttl().to_string();
        [&["--lines", "3000", "--ttl", &lease], more].concat().into_iter().map(str::to_owned).collect()
    }

    /// Begins a drill and runs it to its end.
    pub(super) fn begin(&self, more: &[&str]) -> Ended {
        self.run(Self::fresh(more))
    }

    /// Goes on with it.
    pub(super) fn resume(&self, more: &[&str]) -> Ended {
        self.run([&["--resume"], more].concat())
    }
}

/// A binary that runs; killed if it is dropped or takes too long.
pub(super) struct Running {
    child: Child,
    out: tempfile::NamedTempFile,
    err: tempfile::NamedTempFile,
}

impl Running {
    pub(super) fn start(mut command: Command) -> Self {
        // Files and no pipes: nobody has to read while it runs.
        let (out, err) = (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
        command.stdin(Stdio::null());
        let child = command.stdout(out.reopen().unwrap()).stderr(err.reopen().unwrap()).spawn().unwrap();
        Self { child, out, err }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Its standard error so far.
    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(self.err.path()).unwrap()
    }

    /// Waits for its end.
    pub(super) fn end(mut self) -> Ended {
        for _ in 0..PATIENCE.as_millis() / POLL.as_millis() {
            if let Some(status) = self.child.try_wait().unwrap() {
                let out = std::fs::read_to_string(self.out.path()).unwrap();
                return Ended { status: status.code(), out, err: self.said() };
            }
            std::thread::sleep(POLL);
        }
        panic!("has not ended in {PATIENCE:?}:\n{}", self.said());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Time to live of the leases, in seconds: a machine that is busy with other work needs more.
pub(super) fn ttl() -> f64 {
    std::env::var("DRILL_TTL").map_or(TTL, |text| text.parse().expect("DRILL_TTL is a number"))
}

/// The seed that places boundaries and kills.
pub(super) fn seed() -> u64 {
    std::env::var("DRILL_SEED").map_or(1, |text| text.parse().expect("DRILL_SEED is a number"))
}

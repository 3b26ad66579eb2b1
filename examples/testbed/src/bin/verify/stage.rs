//! What is run, as child processes whose output is shown while it is read.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::Options;
use crate::output::read;
use crate::tally::Tally;

/// Something to run.
#[derive(Debug)]
pub(crate) struct Stage {
    name: &'static str,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A command whose tests are counted from its output.
    Tests(Command),
    /// A command that is one test: it passes or it fails.
    One(Command),
    /// Tests that are listed and not run, for this reason.
    LeftOut(Command, &'static str),
    /// Nothing, for this reason.
    Skip(&'static str),
}

/// A stage that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) name: &'static str,
    pub(crate) tally: Tally,
    pub(crate) took: Duration,
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("..")
}

fn cargo_test(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Where there is no protoc, only what needs one fails to build, and names it.
    if let Ok(protoc) = testbed::protoc() {
        command.env(testbed::PROTOC, protoc);
    }
    command.current_dir(workspace()).args(["test", "--all-features", "--no-fail-fast"]).args(arguments);
    command
}

/// All stages, in the order in which they are run.
pub(crate) fn stages(options: &Options) -> Vec<Stage> {
    let workspace_tests = cargo_test(&["--workspace", "--", "--skip", "process_drill::", "--skip", "server_drill::"]);
    // The workspace and not the package alone: other features would build everything anew.
    let both = ["--test", "process_drill", "--test", "server_drill"];
    let of_drills = |how: &str| cargo_test(&[&["--workspace"], &both[..], &["--", how]].concat());
    let mut drills = of_drills("--show-output");
    if options.full {
        drills.env("DRILL_MATRIX", "full");
    }
    let left_out = || What::LeftOut(of_drills("--list"), "left out by --quick");
    let drills = if options.quick { left_out() } else { What::Tests(drills) };
    vec![
        Stage { name: "crates and documentation", what: What::Tests(workspace_tests) },
        Stage { name: "drill by process", what: drills },
        Stage { name: "independent checker", what: checker() },
    ]
}

fn checker() -> What {
    if Command::new("python3").arg("--version").output().is_err() {
        return What::Skip("python3 is absent");
    }
    let mut command = Command::new("python3");
    command.current_dir(workspace()).args(["examples/check_drill.py", "--self-test"]);
    What::One(command)
}

/// Runs one stage to its end.
pub(crate) fn run(stage: Stage) -> Ended {
    println!("== {}", stage.name);
    let watch = Stopwatch::start();
    let mut tally = Tally::default();
    match stage.what {
        What::Skip(reason) => tally.skipped.push((stage.name.to_owned(), reason.to_owned())),
        What::Tests(command) => {
            let ended = stream(command, |line| read(line).into_iter().for_each(|line| tally.add(line)));
            must_have_passed(stage.name, ended, &mut tally);
        }
        What::LeftOut(command, reason) => {
            let ended = stream(command, |line| {
                let listed = line.strip_suffix(": test");
                tally.skipped.extend(listed.map(|test| (test.to_owned(), reason.to_owned())));
            });
            must_have_passed(stage.name, ended, &mut tally);
        }
        What::One(command) => match stream(command, |_| {}) {
            Ok(status) if status.success() => tally.passed += 1,
            ended => tally.broke(format!("{}: {ended:?}", stage.name)),
        },
    }
    Ended { name: stage.name, tally, took: watch.took() }
}

// What did not end well although no test failed, as code that does not compile, is a failure too.
fn must_have_passed(stage: &str, ended: io::Result<ExitStatus>, tally: &mut Tally) {
    let status = ended.map(|status| status.success());
    if tally.failed == 0 && !matches!(status, Ok(true)) {
        tally.broke(format!("{stage}: {status:?}; no test says why"));
    }
}

// Both outputs come through one pipe, so that they stay in order.
fn stream(mut command: Command, mut each: impl FnMut(&str)) -> io::Result<ExitStatus> {
    let (reader, writer) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    // The command holds the writing ends; the reader ends when the last of them is closed.
    drop(command);
    for line in BufReader::new(reader).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        each(&line);
    }
    child.wait()
}

struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[allow(clippy::disallowed_methods, reason = "how long a person waited; nothing is decided by it")]
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn took(&self) -> Duration {
        self.0.elapsed()
    }
}

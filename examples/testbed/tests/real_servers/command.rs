//! `cargo testbed` from the outside, with a cache directory of its own name space.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use testbed::catalog::recipe;
use testbed::harness::Case;
use testbed::obtain;

pub(crate) const CASES: &[Case<'_>] = &[
    Case { name: "command::up_status_logs_fault_run_down", needs: &["postgres"], run: &story },
    Case { name: "command::a_killed_keeper_takes_its_servers_with_it", needs: &["postgres"], run: &keeper_killed },
    Case { name: "command::what_cannot_be_meant_is_refused", needs: &[], run: &refused },
    Case { name: "command::two_ups_have_one_keeper_and_down_ends_it", needs: &["postgres"], run: &two_ups },
];

struct Place(tempfile::TempDir);

impl Place {
    // The obtained servers are shared, what is up is not.
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let home = obtain(recipe("postgres").unwrap(), &|_| {}).unwrap();
        std::os::unix::fs::symlink(home.parent().unwrap(), place.path().join("servers")).unwrap();
        Self(place)
    }

    fn testbed(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_testbed"));
        command.env("TESTBED_CACHE", self.0.path()).args(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.testbed(arguments);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.testbed(&["down"]);
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn story() {
    let place = Place::new();
    assert!(!place.testbed(&["status"]).status.success(), "nothing is up yet");
    let up = place.json(&["up", "--only", "postgres", "--regions", "1", "--json"]);
    assert_eq!((up[0]["name"].as_str(), up.as_array().unwrap().len()), (Some("postgres-a"), 1));
    let states = place.json(&["status", "--json"]);
    assert_eq!(states[0]["answer"]["Ok"], "serves, version 18.6");
    assert!(text(&place.testbed(&["logs", "postgres-a"])).contains("ready to accept connections"));
    let run = place.testbed(&["run", "--", "printenv", "TESTBED_POSTGRES_A"]);
    assert_eq!(up[0]["environment"]["TESTBED_POSTGRES_A"], text(&run).trim());
    let protoc = place.testbed(&["run", "--", "sh", "-c", "\"$PROTOC\" --version"]);
    assert!(text(&protoc).starts_with("libprotoc "), "{protoc:?}");

    let hurt = place.testbed(&["fault", "postgres-a", "kill"]);
    assert!(!hurt.status.success() && text(&hurt).contains("no process"), "{hurt:?}");
    assert!(place.testbed(&["fault", "postgres-a", "start"]).status.success());

    assert_eq!(text(&place.testbed(&["down"])), "1 servers are let go\n");
    assert!(!Path::new(up[0]["log"].as_str().unwrap()).exists(), "its data are removed");
    assert!(!place.testbed(&["down"]).status.success());
}

fn keeper_killed() {
    let place = Place::new();
    place.json(&["up", "--only", "postgres", "--regions", "1", "--json"]);
    let states = place.json(&["status", "--json"]);
    let server = states[0]["pid"].as_u64().unwrap();
    let parent = |pid: u64| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let keeper = parent(parent(server));
    assert!(Command::new("kill").args(["-KILL", &keeper.to_string()]).status().unwrap().success());
    let gone = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(25));
        !Path::new(&format!("/proc/{server}")).exists()
    });
    assert!(gone, "the server is left");
    // What the keeper has left stands in nobody's way.
    place.json(&["up", "--only", "postgres", "--regions", "1", "--json"]);
}

fn refused() {
    let cache = tempfile::tempdir().unwrap();
    for (arguments, why) in [
        (&["obtain", "--only", "postgrs"][..], "there is no server postgrs"),
        (&["up", "--only", "kafka", "--regions", "0"], "no server in such a layout"),
        (&["run", "--no-witness", "--regions", "0", "--", "true"], "no server in such a layout"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_testbed"));
        let output = command.env("TESTBED_CACHE", cache.path()).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{arguments:?}: {said}");
    }
}

// The first is killed while it waits; the second meets a keeper that is on its way, or none any more.
fn two_ups() {
    let place = Place::new();
    let up = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_testbed"));
        command.env("TESTBED_CACHE", place.0.path()).args(["up", "--only", "postgres", "--regions", "1"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let lock = place.0.path().join("up").join("lock");
    let keeper = || std::fs::read_to_string(&lock).unwrap_or_default().trim().parse::<u32>().ok();
    let mut first = up();
    while keeper().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let keeping = keeper().unwrap();
    // Still coming up: nothing answers, and nobody else may start.
    let other = place.testbed(&["keep", "--only", "postgres", "--regions", "1"]);
    assert!(!other.status.success() && text(&other).contains("a testbed is up or coming up"), "{other:?}");
    assert_eq!(keeper(), Some(keeping));
    first.kill().unwrap();
    first.wait().unwrap();
    place.testbed(&["down"]);
    let gone = (0..400).any(|_| {
        std::thread::sleep(Duration::from_millis(25));
        !Path::new(&format!("/proc/{keeping}")).exists()
    });
    assert!(gone, "the keeper {keeping} is left");
    place.json(&["up", "--only", "postgres", "--regions", "1", "--json"]);
    let other = place.testbed(&["run", "--brokers", "2", "--", "true"]);
    assert!(!other.status.success(), "another layout than the one that is up");
}

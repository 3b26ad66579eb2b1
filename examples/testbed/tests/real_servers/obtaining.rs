//! Obtaining: once, whole or not at all, and a word about what is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use testbed::harness::Case;

pub(crate) const CASES: &[Case<'_>] = &[
    Case { name: "obtain::once_by_many_and_again_when_cut", needs: &["postgres"], run: &once },
    Case { name: "obtain::interrupted_is_not_taken_for_whole", needs: &["postgres"], run: &interrupted },
    Case { name: "obtain::a_missing_tool_is_named_with_its_cure", needs: &[], run: &missing_tool },
    Case { name: "harness::a_test_without_its_tool_is_listed_as_ignored", needs: &[], run: &listed },
];

fn obtain(cache: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testbed"));
    command.env("TESTBED_CACHE", cache).args(["obtain", "--only", "postgres"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn said(process: Child) -> String {
    let output = process.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

fn homes(cache: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(cache.join("servers")).into_iter().flatten().map(|entry| entry.unwrap().path());
    all.filter(|path| path.is_dir() && path.extension().is_none_or(|end| end != "partial")).collect()
}

fn once() {
    let cache = tempfile::tempdir().unwrap();
    let all: Vec<_> =
        [obtain(cache.path()), obtain(cache.path()), obtain(cache.path())].into_iter().map(said).collect();
    let obtained = |said: &String| said.contains("obtaining, once");
    assert_eq!(all.iter().filter(|said| obtained(said)).count(), 1, "{all:?}");

    let home = homes(cache.path()).pop().unwrap();
    let postgres = home.join("bin/postgres");
    let whole = fs::metadata(&postgres).unwrap().len();
    fs::File::options().write(true).open(&postgres).unwrap().set_len(whole / 2).unwrap();
    assert!(obtained(&said(obtain(cache.path()))), "half a file was taken for whole");
    assert_eq!(fs::metadata(&postgres).unwrap().len(), whole);
    assert!(!obtained(&said(obtain(cache.path()))));
}

// Killed once it has begun, once it has fetched, and once the server's program is there; what it leaves is never
// taken for the server, and the next run gets there.
fn interrupted() {
    let cache = tempfile::tempdir().unwrap();
    let met = |partial: &Path, stage: &str| match stage {
        "begun" => partial.is_dir(),
        "fetched" => fs::read_dir(partial.join("libs")).is_ok_and(|mut libs| libs.next().is_some()),
        _ => partial.join("bin/postgres").exists(),
    };
    for stage in ["begun", "fetched", "unpacked"] {
        let mut process = obtain(cache.path());
        while !partial(cache.path()).is_some_and(|partial| met(&partial, stage)) {
            assert!(process.try_wait().unwrap().is_none(), "it has ended before it was seen to have {stage}");
            std::thread::sleep(Duration::from_millis(1));
        }
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(homes(cache.path()).is_empty(), "{stage}: half of it was taken for whole");
    }
    said(obtain(cache.path()));
    assert_eq!(homes(cache.path()).len(), 1);
}

fn partial(cache: &Path) -> Option<PathBuf> {
    let mut all = fs::read_dir(cache.join("servers")).into_iter().flatten().map(|entry| entry.unwrap().path());
    all.find(|path| path.extension().is_some_and(|end| end == "partial"))
}

fn missing_tool() {
    let cache = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_testbed"));
    command.env("TESTBED_CACHE", cache.path()).env("PATH", cache.path()).args(["obtain", "--only", "kafka"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("is missing; cure: apt-get install"), "{said}");
}

fn listed() {
    let empty = tempfile::tempdir().unwrap();
    let itself = |arguments: &[&str]| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.env("PATH", empty.path()).args(arguments).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (good, said) = itself(&["--exact", "kafka::a_topic_with_two_copies_survives_one_broker"]);
    assert!(said.contains("ignored, setpriv is missing; cure: apt-get install -y util-linux"), "{said}");
    assert!(good && said.contains("0 passed; 0 failed; 1 ignored"), "{said}");
    let (good, said) = itself(&["--exact", "kafka::a_topic_with_two_copies_survives_one_broker", "--require-all"]);
    assert!(!good && said.contains("0 passed; 1 failed; 0 ignored"), "{said}");
}

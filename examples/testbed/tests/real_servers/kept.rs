//! A bed in a folder that stays: its owner is killed, and another one opens it again on the same data.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use testbed::harness::Case;
use testbed::{Bed, Error, Kept, Wanted, supervise};

use crate::speak::Marker;

/// The first argument of the process that opens a bed and is killed.
pub(crate) const OPENER: &str = "open-a-bed";

pub(crate) const CASES: &[Case<'_>] = &[
    Case {
        name: "kept::postgres_is_there_after_a_kill_of_its_owner",
        needs: &["postgres"],
        run: &|| survives("postgres"),
    },
    Case { name: "kept::kafka_is_there_after_a_kill_of_its_owner", needs: &["kafka"], run: &|| survives("kafka") },
    Case { name: "kept::etcd_is_there_after_a_kill_of_its_owner", needs: &["etcd"], run: &|| survives("etcd") },
];

fn opened(folder: &Path, kind: &str) -> Result<Bed, Error> {
    Bed::open(folder, &Wanted::one(kind), &|line| eprintln!("  {line}"))
}

/// Opens a bed, says so, and waits to be killed.
pub(crate) fn open() -> ExitCode {
    supervise::if_asked();
    let arguments: Vec<_> = std::env::args().skip(2).collect();
    let (kind, folder) = (&arguments[0], Path::new(&arguments[1]));
    let bed = opened(folder, kind).unwrap();
    Marker::of(&bed.servers()[0]).write("before the crash");
    println!("written");
    loop {
        std::thread::park();
    }
}

fn survives(kind: &str) {
    let base = tempfile::tempdir().unwrap();
    let folder = base.path().join("servers");
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut owner = command.args([OPENER, kind]).arg(&folder).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(owner.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "written");
    let refused = opened(&folder, kind).unwrap_err();
    assert!(matches!(refused, Error::Kept { why: Kept::InUse, .. }), "{refused}");
    // SIGKILL: nobody tidies up, and the next one is there at once.
    owner.kill().unwrap();
    let again = opened(&folder, kind);
    owner.wait().unwrap();
    let bed = again.unwrap();
    let server = &bed.servers()[0];
    Marker::of(server).find("before the crash");
    server.stop().unwrap();
    drop(bed);
    assert!(folder.exists());
    let bed = opened(&folder, kind).unwrap();
    Marker::of(&bed.servers()[0]).find("before the crash");
}

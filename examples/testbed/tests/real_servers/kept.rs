//! A bed in a folder that stays: its owner is killed, and another one opens it again on the same data.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use testbed::harness::Case;
use testbed::{Bed, Error, Kept, SMALL_DISKS, Wanted, supervise};

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
    Case { name: "kept::postgres_in_a_folder_of_an_odd_name", needs: &["postgres"], run: &|| odd_name("postgres") },
    Case { name: "kept::kafka_in_a_folder_of_an_odd_name", needs: &["kafka"], run: &|| odd_name("kafka") },
    Case { name: "kept::etcd_in_a_folder_of_an_odd_name", needs: &["etcd"], run: &|| odd_name("etcd") },
    Case { name: "kept::a_disk_in_a_folder_of_an_odd_name", needs: &["postgres", SMALL_DISKS], run: &odd_disk },
    Case { name: "kept::a_folder_that_kafka_does_not_stand_is_refused", needs: &["kafka"], run: &refused },
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

// Whatever a path holds is a path: for the shell, for placeholders, for the table of mounts.
const ODD: &str = "a b{c} $(d)'";

fn odd_name(kind: &str) {
    let base = tempfile::tempdir().unwrap();
    let name = if kind == "kafka" { "a b{c}" } else { ODD };
    let bed = opened(&base.path().join(name), kind).unwrap();
    let server = &bed.servers()[0];
    Marker::of(server).write("within");
    server.kill().unwrap();
    server.start().unwrap();
    Marker::of(server).find("within");
}

fn odd_disk() {
    let base = tempfile::tempdir().unwrap();
    let wanted = Wanted::one("postgres").with_disks_of(192 << 20);
    let bed = Bed::open(&base.path().join(ODD), &wanted, &|_| {}).unwrap();
    bed.servers()[0].fill_disk().unwrap();
    bed.servers()[0].free_disk().unwrap();
}

fn refused() {
    let base = tempfile::tempdir().unwrap();
    let folder = base.path().join("a,b");
    let refused = opened(&folder, "kafka").unwrap_err();
    assert!(matches!(refused, Error::Place { .. }), "{refused}");
    assert!(!folder.join("bed.json").exists() && !folder.join("kafka-a").exists());
}

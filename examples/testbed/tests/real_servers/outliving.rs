//! Nothing outlives its owner, however that ends.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use testbed::harness::Case;
use testbed::{Bed, NAMESPACES, Wanted, supervise};

use crate::speak::Marker;

/// The first argument of the process that owns servers and is killed.
pub(crate) const OWNER: &str = "own-servers";

pub(crate) const CASES: &[Case<'_>] = &[
    Case { name: "owner::killed_takes_postgres_with_it", needs: &["postgres"], run: &|| killed("postgres", "run") },
    Case { name: "owner::killed_takes_etcd_with_it", needs: &["etcd"], run: &|| killed("etcd", "run") },
    Case {
        name: "owner::killed_takes_etcd_with_it_by_a_supervisor_that_was_built",
        needs: &["etcd"],
        run: &|| killed("etcd", "build"),
    },
    Case { name: "owner::killed_takes_kafka_with_it", needs: &["kafka"], run: &|| killed("kafka", "run") },
    Case {
        name: "owner::killed_takes_a_stopped_postgres_with_it",
        needs: &["postgres"],
        run: &|| killed("postgres", "pause"),
    },
    Case { name: "owner::killed_takes_its_network_with_it", needs: &["etcd", NAMESPACES], run: &network_gone },
    Case {
        name: "owner::a_thread_that_ends_takes_nothing_with_it",
        needs: &["etcd"],
        run: &|| drop(owner("etcd", "thread")),
    },
    Case { name: "supervisor::killed_takes_postgres_with_it", needs: &["postgres"], run: &supervisor_killed },
    Case { name: "supervisor::killed_is_noticed_by_its_owner", needs: &["etcd"], run: &supervisor_missed },
    Case {
        name: "supervisor::killed_over_a_stopped_postgres_leaves_nothing_in_the_way",
        needs: &["postgres"],
        run: &supervisor_killed_over_a_stopped_one,
    },
];

/// Starts a server, says where it is, and waits to be killed.
pub(crate) fn own() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(2).collect();
    let (kind, how) = (arguments[0].clone(), arguments[1].as_str());
    // Without this the supervisor is built, as for any test binary whose `main` is libtest's.
    if how != "build" {
        supervise::if_asked();
    }
    let wanted = Wanted { namespaces: how == "namespaces", ..Wanted::one(&kind) };
    let started = std::thread::spawn(move || Bed::start(&wanted, &|line| eprintln!("  {line}")).unwrap());
    // The thread that started the servers is gone from here on.
    let bed = started.join().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let server = &bed.servers()[0];
    server.ask().unwrap();
    if how == "pause" {
        server.pause().unwrap();
    }
    let range = bed.network().map_or_else(|_| "loopback".to_owned(), testbed::Network::range);
    println!("{} {range}", server.pid().unwrap());
    loop {
        std::thread::park();
    }
}

struct Owner {
    process: Child,
    server: u32,
    range: String,
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _killed = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn owner(kind: &str, how: &str) -> Owner {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut process = command.args([OWNER, kind, how]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let (server, range) = line.trim().split_once(' ').unwrap();
    Owner { process, server: server.parse().unwrap(), range: range.to_owned() }
}

// Pid and parent of every process, but of those that have ended and are only not reaped yet.
fn table() -> Vec<(u32, u32)> {
    let stat = |entry: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        let (pid, rest) = (text.split(' ').next()?.parse().ok()?, text.rsplit_once(')')?.1);
        let mut fields = rest.split_whitespace();
        (fields.next()? != "Z").then(|| fields.next()?.parse().ok().map(|parent| (pid, parent)))?
    };
    std::fs::read_dir("/proc").unwrap().filter_map(stat).collect()
}

fn family(of: u32) -> Vec<u32> {
    let table = table();
    let mut family = vec![of];
    let mut at = 0;
    while at < family.len() {
        let above = family[at];
        family.extend(table.iter().filter(|(_, parent)| *parent == above).map(|(pid, _)| *pid));
        at += 1;
    }
    family
}

fn all_gone(pids: &[u32]) -> bool {
    (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(25));
        let table = table();
        !pids.iter().any(|pid| table.iter().any(|(there, _)| there == pid))
    })
}

fn killed(kind: &str, how: &str) {
    let mut owner = owner(kind, how);
    let family = family(owner.process.id());
    assert!(family.contains(&owner.server), "{family:?}");
    assert!(kind != "postgres" || family.len() > 6, "Postgres forks: {family:?}");
    // SIGKILL: the owner gets no chance to tidy up.
    owner.process.kill().unwrap();
    owner.process.wait().unwrap();
    assert!(all_gone(&family), "something of {family:?} is left");
    assert!(!Path::new(&format!("/proc/{}", owner.server)).exists());
}

fn network_gone() {
    let routed = |range: &str| {
        let routes = Command::new("ip").args(["route", "show"]).output().unwrap();
        String::from_utf8_lossy(&routes.stdout).contains(range)
    };
    let mut owner = owner("etcd", "namespaces");
    let family = family(owner.process.id());
    assert!(routed(&owner.range), "{}", owner.range);
    owner.process.kill().unwrap();
    owner.process.wait().unwrap();
    assert!(all_gone(&family), "something of {family:?} is left");
    // The kernel takes a namespace away, with its cables, a moment after the last process in it.
    let gone = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(25));
        !routed(&owner.range)
    });
    assert!(gone, "the network {} is left", owner.range);
}

fn supervisor_killed() {
    let owner = owner("postgres", "run");
    let below = family(owner.process.id());
    let supervisor = supervisor_of(owner.server);
    assert_ne!(supervisor, owner.process.id());
    kill(supervisor);
    let rest: Vec<_> = below.into_iter().filter(|pid| *pid != owner.process.id()).collect();
    assert!(all_gone(&rest), "something of {rest:?} is left");
}

fn supervisor_of(server: u32) -> u32 {
    table().iter().find(|(there, _)| *there == server).unwrap().1
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
}

fn supervisor_missed() {
    let bed = Bed::start(&Wanted::one("etcd"), &|line| eprintln!("  {line}")).unwrap();
    let server = &bed.servers()[0];
    let pid = server.pid().unwrap();
    kill(supervisor_of(pid));
    let noticed = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(25));
        server.pid().is_none()
    });
    assert!(noticed, "the server of a supervisor that was killed is said to run");
    server.start().unwrap();
    server.ask().unwrap();
    assert_ne!(server.pid(), Some(pid));
}

// Its workers are stopped in sessions of their own, and nobody is left who would kill them.
fn supervisor_killed_over_a_stopped_one() {
    let base = tempfile::tempdir().unwrap();
    let folder = base.path().join("servers");
    let open = || Bed::open(&folder, &Wanted::one("postgres"), &|line| eprintln!("  {line}"));
    let bed = open().unwrap();
    let server = &bed.servers()[0];
    Marker::of(server).write("before the stop");
    let (pid, supervisor) = (server.pid().unwrap(), supervisor_of(server.pid().unwrap()));
    let below: Vec<_> = family(supervisor).into_iter().filter(|pid| *pid != supervisor).collect();
    assert!(below.len() > 5, "Postgres forks: {below:?}");
    server.pause().unwrap();
    kill(supervisor);
    drop(bed);
    let bed = open().unwrap();
    assert!(all_gone(&below), "something of {below:?} is left");
    Marker::of(&bed.servers()[0]).find("before the stop");
    assert_ne!(bed.servers()[0].pid(), Some(pid));
}

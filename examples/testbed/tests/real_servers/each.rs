//! What every server has to do, for each kind.

use std::time::Duration;

use testbed::harness::Case;
use testbed::{Bed, Conditions, Direction, Server, Wanted, shared};

use crate::speak::Marker;

pub(crate) const CASES: &[Case<'_>] = &[
    Case { name: "etcd::keeps_what_it_was_told_through_a_crash", needs: &["etcd"], run: &|| crash("etcd") },
    Case { name: "postgres::keeps_what_it_was_told_through_a_crash", needs: &["postgres"], run: &|| crash("postgres") },
    Case { name: "kafka::keeps_what_it_was_told_through_a_crash", needs: &["kafka"], run: &|| crash("kafka") },
    Case { name: "witness::serves_without_one_member", needs: &["etcd"], run: &witness },
    Case { name: "shared::one_server_for_all_who_ask", needs: &["etcd"], run: &shared_by_all },
    Case { name: "postgres::a_server_that_cannot_start_shows_its_log", needs: &["postgres"], run: &cannot_start },
];

fn say(line: &str) {
    eprintln!("  {line}");
}

// Started, asked, written to, paused, killed, started on the same data, through a proxy, stopped.
fn crash(kind: &str) {
    let bed = Bed::start(&Wanted::one(kind), &say).unwrap();
    let server = bed.server(&format!("{kind}-a")).unwrap();
    say(&server.ask().unwrap());
    Marker::of(&server).write("before the crash");

    server.pause().unwrap();
    assert!(server.ask().is_err(), "a stopped process answers");
    server.resume().unwrap();
    server.ask().unwrap();

    let pid = server.pid().unwrap();
    server.kill().unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert!(server.ask().is_err() && server.pid().is_none());
    server.start().unwrap();
    Marker::of(&server).find("before the crash");

    through_a_proxy(&server);
    server.stop().unwrap();
    assert!(server.ask().is_err());
}

fn through_a_proxy(server: &Server) {
    let proxy = server.proxy(7).unwrap();
    let marker = Marker::at(server, proxy.address());
    marker.find("before the crash");
    if let (_, Some(front)) = server.recipe().proxied {
        // Where the server sends its clients next is the proxy again.
        assert_eq!(proxy.address(), server.address(front).unwrap());
        let port = u32::from(proxy.address().port()).to_be_bytes();
        assert!(marker.read().unwrap().windows(4).any(|part| part == port));
    }
    proxy.set(Direction::ToClient, Conditions::delayed(Duration::from_millis(30), Duration::from_millis(5)));
    marker.find("before the crash");
    proxy.set(Direction::ToClient, Conditions::reset_after(3));
    assert!(marker.read().is_err());
    proxy.heal();
    marker.find("before the crash");
    let traffic = proxy.traffic();
    assert!(traffic.connections >= 4 && traffic.to_client > 0, "{traffic:?}");
}

fn witness() {
    let bed = Bed::start(&Wanted::witness(), &say).unwrap();
    let first = bed.server("witness-1").unwrap();
    Marker::of(&first).write("agreed");
    first.kill().unwrap();
    for name in ["witness-2", "witness-3"] {
        let other = bed.server(name).unwrap();
        // It may take an election until a quorum answers.
        let answered = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            other.ask().is_ok()
        });
        assert!(answered, "{name}");
        Marker::of(&other).find("agreed");
    }
    bed.server("witness-2").unwrap().kill().unwrap();
    assert!(bed.server("witness-3").unwrap().ask().is_err(), "one of three answers alone");
}

fn shared_by_all() {
    let ask = || std::thread::spawn(|| shared("etcd").unwrap());
    let all: Vec<_> = [ask(), ask(), ask()].into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(all[0][0].kind, "etcd");
    assert!(all.iter().all(|addresses| *addresses == all[0]), "{all:?}");
    std::net::TcpStream::connect(all[0][0].ports["client"]).unwrap();
}

fn cannot_start() {
    let bed = Bed::start(&Wanted::one("postgres"), &say).unwrap();
    let server = bed.server("postgres-a").unwrap();
    server.stop().unwrap();
    // Its data are spoilt: it has to say so, soon, in its own words.
    let data = server.log().with_file_name("cluster");
    std::fs::remove_file(data.join("global").join("pg_control")).unwrap();
    let error = server.start().unwrap_err().to_string();
    assert!(error.contains("pg_control") && error.contains("it has ended"), "{error}");
}

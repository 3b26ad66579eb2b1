//! A region in a namespace of its own: one direction cut, one port cut, and healed.

use std::process::Stdio;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use testbed::harness::Case;
use testbed::{Bed, NAMESPACES, Server, TEST, Wanted};

use crate::speak::Marker;

const NEEDS: &[&str] = &["postgres", NAMESPACES];
/// What is cut says nothing for so long; what is not answers sooner.
const SILENCE: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const CASES: &[Case<'_>] = &[
    Case { name: "network::one_direction_is_cut_and_the_other_flows", needs: NEEDS, run: &one_direction },
    Case {
        name: "network::one_port_is_cut_and_the_other_answers",
        needs: &["postgres", "etcd", NAMESPACES],
        run: &one_port,
    },
    Case { name: "network::two_regions_are_parted_and_the_test_reaches_both", needs: NEEDS, run: &regions_parted },
];

fn one_direction() {
    let bed = Bed::start(&Wanted::one("postgres").with_namespaces(), &|_| {}).unwrap();
    let server = bed.server("postgres-a").unwrap();
    let network = bed.network().unwrap();
    assert_eq!(server.address("sql").unwrap().ip(), network.address("a").unwrap());
    let marker = Marker::of(&server);
    marker.change("CREATE TABLE said (what text, at timestamptz)").unwrap();

    // The question is lost: nothing happens there until it is healed; then it goes on by itself.
    network.cut(TEST, "a", None).unwrap();
    assert!(network.cut(TEST, "a", None).is_err());
    let (asked, dropped) = waits(&server, "INSERT INTO said VALUES ('lost question', clock_timestamp())", || {
        network.heal(TEST, "a", None).unwrap()
    });
    assert!(dropped > 0 && asked.is_ok(), "{asked:?}");

    // The answer is lost: what was asked is done, while nobody hears of it.
    marker.change("CREATE TABLE healed (at timestamptz)").unwrap();
    let session = marker.session().unwrap();
    // Until it has come in.
    std::thread::sleep(Duration::from_millis(500));
    network.cut("a", TEST, None).unwrap();
    let (answers, answered) = channel();
    let waiting = std::thread::spawn(move || {
        let answer = session.ask("INSERT INTO said VALUES ('lost answer', clock_timestamp())");
        answers.send(answer.is_ok()).unwrap();
    });
    assert_eq!(answered.recv_timeout(SILENCE), Err(RecvTimeoutError::Timeout));
    let dropped = network.heal("a", TEST, None).unwrap();
    assert!(answered.recv_timeout(PATIENCE).unwrap() && dropped > 0);
    waiting.join().unwrap();
    let age = "SELECT CASE WHEN clock_timestamp() - at > interval '2.5 s' THEN 'before the healing' END \
               FROM said WHERE what = 'lost answer'";
    assert!(String::from_utf8_lossy(&marker.change(age).unwrap()).contains("before the healing"));
    assert!(network.heal("a", TEST, None).is_err() && network.cut("a", "nowhere", None).is_err());
}

// A query that is silent until something is done about it.
fn waits<T>(server: &Server, query: &'static str, cure: impl FnOnce() -> T) -> (Result<(), String>, T) {
    let marker = Marker::of(server);
    let (answers, answered) = channel();
    let waiting = std::thread::spawn(move || answers.send(marker.change(query).map(drop).map_err(|e| e.to_string())));
    assert!(answered.recv_timeout(SILENCE).is_err(), "it is answered through the cut");
    let cured = cure();
    let answer = answered.recv_timeout(PATIENCE).unwrap();
    waiting.join().unwrap().unwrap();
    (answer, cured)
}

fn one_port() {
    let only = ["postgres", "etcd"].map(str::to_owned).to_vec();
    let wanted = Wanted { only, regions: 1, witness: false, ..Wanted::default() }.with_namespaces();
    let bed = Bed::start(&wanted, &|_| {}).unwrap();
    let (postgres, etcd) = (bed.server("postgres-a").unwrap(), bed.server("etcd-a").unwrap());
    let network = bed.network().unwrap();
    network.cut(TEST, "a", Some("sql")).unwrap();
    assert!(postgres.ask().is_err());
    etcd.ask().unwrap();
    assert!(network.dropped(TEST, "a", Some("sql")).unwrap() > 0);
    network.cut(TEST, "a", Some("client")).unwrap();
    assert!(etcd.ask().is_err());
    network.heal(TEST, "a", Some("sql")).unwrap();
    postgres.ask().unwrap();
    assert!(etcd.ask().is_err());
    network.heal(TEST, "a", Some("client")).unwrap();
    etcd.ask().unwrap();
    let unknown = network.cut(TEST, "a", Some("http")).unwrap_err().to_string();
    assert!(unknown.contains("client, peer, sql"), "{unknown}");
}

fn regions_parted() {
    let bed = Bed::start(&Wanted::one("postgres").in_regions(&["west", "east"]).with_namespaces(), &|_| {}).unwrap();
    let network = bed.network().unwrap();
    let east = bed.server("postgres-east").unwrap();
    let at = east.address("sql").unwrap();
    let west_reaches_east = || {
        let connect = format!("exec 3<>/dev/tcp/{}/{}", at.ip(), at.port());
        let mut command = network.enter("west").unwrap();
        command.args(["timeout", "3", "bash", "-c", &connect]).stderr(Stdio::null());
        command.status().unwrap().success()
    };
    assert!(west_reaches_east());
    network.cut("west", "east", None).unwrap();
    assert!(!west_reaches_east());
    east.ask().unwrap();
    bed.server("postgres-west").unwrap().ask().unwrap();
    network.heal("west", "east", None).unwrap();
    assert!(west_reaches_east());
}

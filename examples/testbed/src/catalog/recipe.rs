//! What has to be known of a server to obtain, start and stop it.
//!
//! Texts may hold placeholders, filled in for each member: `{name}`, `{region}`, `{node}` (1, 2, ...),
//! `{home}` (where it was obtained to), `{data}`, `{host}` (the address it listens at),
//! `{clients}` (the addresses that clients come from), `{tls}` (certificates), `{cluster}` (an id that all
//! members share), `{copies}` (how many members there are, 3 at most), `{port:NAME}`, and what the recipe itself declares in `by_member` and `joined`.

use std::time::Duration;

/// One kind of server.
#[derive(Debug)]
pub struct Recipe {
    /// What it is called on the command line and in the names of its instances.
    pub name: &'static str,
    /// The exact version that is obtained.
    pub version: &'static str,
    /// Where it comes from.
    pub obtain: Obtain,
    /// Characters that it does not stand in the path of the folder it was obtained to.
    pub not_in_home: &'static str,
    /// Characters that it does not stand in the path of its data.
    pub not_in_data: &'static str,
    /// What must be installed to run it.
    pub tools: &'static [Tool],
    /// Names of the ports that each member gets on loopback.
    pub ports: &'static [&'static str],
    /// Placeholders whose text differs for the first member: name, for the first, for the others.
    pub by_member: &'static [(&'static str, &'static str, &'static str)],
    /// Placeholders that put members next to each other, such as a list of peers.
    pub joined: &'static [Joined],
    /// Files written into the data directory before the first start: name and text.
    pub files: &'static [(&'static str, &'static str)],
    /// Commands that are run once, on an empty data directory.
    pub prepare: &'static [&'static [&'static str]],
    /// The command that is the server.
    pub start: &'static [&'static str],
    /// Files in the data directory by which a server finds that it runs already: a process id, which after a
    /// kill may be that of any other process. Removed before a start.
    pub left_by_a_kill: &'static [&'static str],
    /// It refuses to run as root.
    pub refuses_root: bool,
    /// How it is asked whether it serves.
    pub probe: Probe,
    /// How long it may take until it serves.
    pub deadline: Duration,
    /// How it is asked to stop.
    pub stop: Stop,
    /// What a command run in the testbed finds in its environment: suffix and text.
    pub environment: &'static [(&'static str, &'static str)],
    /// The folder in the data directory that holds what it stores.
    pub stores_in: &'static str,
    /// The file in the data directory that makes it start as a standby.
    pub standby: Option<&'static str>,
    /// A library put before the C library can tell it another time.
    pub fakes_clock: bool,
    /// The file in the data directory that holds the key and the certificate it shows over TLS.
    pub certificate: Option<&'static str>,
    /// The port in front of which a fault proxy stands, and the one that the server tells clients
    /// instead of it, if it tells them any.
    pub proxied: (&'static str, Option<&'static str>),
}

/// A placeholder made of all members, or of the first only.
#[derive(Debug)]
pub struct Joined {
    /// The placeholder.
    pub name: &'static str,
    /// The text for one member.
    pub each: &'static str,
    /// Whose.
    pub of: Members,
}

/// Members of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Members {
    /// The first one only.
    First,
    /// All of them, with commas between.
    All,
}

/// Where a server comes from. The tools' own settings say which registry they ask.
#[derive(Debug)]
pub enum Obtain {
    /// Jar files with all they depend on, into `libs`.
    Maven {
        /// `group:artifact:version` of each.
        coordinates: &'static [&'static str],
        /// What the jars have to be, as `sha256sum` prints it.
        checksums: &'static str,
    },
    /// A Go program, built from source; `go.sum` holds the checksums, and Go checks them.
    Go {
        /// `main.go`.
        main: &'static str,
        /// `go.mod`.
        module: &'static str,
        /// `go.sum`.
        sums: &'static str,
        /// The name of the program.
        binary: &'static str,
    },
    /// A jar for each kind of machine, fetched by Maven, that holds one packed tree of files.
    Packed {
        /// One for each kind of machine that has one.
        builds: &'static [Build],
    },
}

/// A build of a server for one kind of machine.
#[derive(Debug)]
pub struct Build {
    /// The machine, as Rust's `std::env::consts::ARCH` names it.
    pub machine: &'static str,
    /// `group:artifact:version` of the jar.
    pub coordinate: &'static str,
    /// What the jar has to be, as `sha256sum` prints it.
    pub checksum: &'static str,
}

/// A program that must be installed.
#[derive(Debug, PartialEq, Eq)]
pub struct Tool {
    /// What is called.
    pub program: &'static str,
    /// Arguments with which it says its version and ends well.
    pub arguments: &'static [&'static str],
    /// The command that installs it.
    pub cure: &'static str,
}

/// How a server is asked whether it serves, in its own protocol.
#[derive(Debug, Clone, Copy)]
pub enum Probe {
    /// Kafka's metadata on the plain listener: the broker must list itself.
    Kafka,
    /// A query over Postgres' protocol.
    Postgres,
    /// A linearizable read of etcd.
    Etcd,
}

/// The signal that asks a server to stop.
#[derive(Debug, Clone, Copy)]
pub enum Stop {
    /// SIGTERM.
    Terminate,
    /// SIGINT.
    Interrupt,
}

//! The servers that the testbed knows, as data. A further server is one more entry in [`CATALOG`].

mod etcd;
mod kafka;
mod postgres;
mod recipe;

pub use recipe::{Build, Joined, Members, Obtain, Probe, Recipe, Stop, Tool};

/// All servers.
pub const CATALOG: [&Recipe; 3] = [&kafka::KAFKA, &postgres::POSTGRES, &etcd::ETCD];

/// A user of every Kafka broker whom no access rule binds: name and password for SCRAM.
pub const KAFKA_ADMINISTRATOR: (&str, &str) = ("admin", "admin-secret");

/// A user of every Kafka broker who may do only what an access rule allows: name and password for SCRAM.
pub const KAFKA_USER: (&str, &str) = ("alice", "alice-secret");

/// A user of every Postgres who needs a password (SCRAM-SHA-256), with or without TLS, and may make schemas
/// and tables of its own in the database `postgres`: name and password. The owner, `postgres`, needs none.
pub const POSTGRES_USER: (&str, &str) = ("alice", "alice-secret");

/// A user of every Postgres who needs a password and is let in over TLS only. What its certificate has to be
/// signed by is [`crate::Tls::authority`] (`bed.tls().authority()`; for `shared`, [`crate::Address::authority`];
/// for commands, the variable `TESTBED_CA`).
pub const POSTGRES_TLS_USER: (&str, &str) = ("carol", "carol-secret");

/// A user of every Postgres who is let in over TLS with the certificate [`crate::Tls::client`] and nothing else.
pub const POSTGRES_CERTIFICATE_USER: &str = "client";

/// The recipe of that name.
#[must_use]
pub fn recipe(name: &str) -> Option<&'static Recipe> {
    CATALOG.into_iter().find(|recipe| recipe.name == name)
}

#[cfg(test)]
mod tests;

//! The servers that the testbed knows, as data. A further server is one more entry in [`CATALOG`].

mod etcd;
mod kafka;
mod postgres;
mod recipe;

pub use recipe::{Joined, Members, Obtain, Probe, Recipe, Stop, Tool};

/// All servers.
pub const CATALOG: [&Recipe; 3] = [&kafka::KAFKA, &postgres::POSTGRES, &etcd::ETCD];

/// A user of every Kafka broker whom no access rule binds: name and password for SCRAM.
pub const KAFKA_ADMINISTRATOR: (&str, &str) = ("admin", "admin-secret");

/// A user of every Kafka broker who may do only what an access rule allows: name and password for SCRAM.
pub const KAFKA_USER: (&str, &str) = ("alice", "alice-secret");

/// The recipe of that name.
#[must_use]
pub fn recipe(name: &str) -> Option<&'static Recipe> {
    CATALOG.into_iter().find(|recipe| recipe.name == name)
}

#[cfg(test)]
mod tests;

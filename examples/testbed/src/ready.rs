//! Whether a server serves, asked in its own protocol.

mod etcd;
mod exchange;
mod kafka;
mod postgres;

use crate::catalog::Probe;
use crate::server::Member;

/// What it says of itself, or why it does not serve yet.
pub(crate) fn ask(member: &Member) -> Result<String, String> {
    let port = match member.recipe.probe {
        Probe::Kafka => "plain",
        Probe::Postgres => "sql",
        Probe::Etcd => "client",
    };
    let address = member.address(port).map_err(|error| error.to_string())?;
    match member.recipe.probe {
        Probe::Kafka => kafka::ask(address, member.values.get("node").map_or("", String::as_str)),
        Probe::Postgres => postgres::ask(address),
        Probe::Etcd => etcd::ask(address),
    }
    .map_err(|error| format!("{address}: {error}"))
}

//! What a connection must have before anything is written or read through it. Pure.

use std::time::Duration;

use tokio_postgres::Row;

use super::fault::damaged;
use super::settings::PostgresEventSettings;
use crate::error::Error;

/// Asked of each connection once: a pool may be another's, and a role's settings may change.
pub(super) const QUERY: &str = "SELECT pg_backend_pid(), \
    (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), current_setting('synchronous_commit'), \
    (SELECT setting FROM pg_settings WHERE name = 'statement_timeout'), \
    (SELECT setting FROM pg_settings WHERE name = 'lock_timeout'), \
    (SELECT setting FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout')";

const TIMEOUTS: [&str; 3] = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];

/// What the server says of a connection.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    pub(super) pid: i32,
    encrypted: bool,
    synchronous_commit: String,
    /// Milliseconds, in the order of [`TIMEOUTS`]; 0 is none.
    timeouts: [u128; 3],
}

impl Connection {
    pub(super) fn read(row: &Row) -> Result<Self, Error> {
        let milliseconds = |column| {
            let said: &str = row.get(column);
            said.parse().map_err(|_| damaged(format!("a time-out of {said:?} ms")))
        };
        Ok(Self {
            pid: row.get(0),
            encrypted: row.get::<_, Option<bool>>(1).unwrap_or(false),
            synchronous_commit: row.get(2),
            timeouts: [milliseconds(3)?, milliseconds(4)?, milliseconds(5)?],
        })
    }
}

/// What the settings demand of a connection.
#[derive(Debug)]
pub(super) struct Demands {
    deadline: Duration,
    encryption: bool,
    options: String,
}

impl Demands {
    pub(super) fn of(settings: &PostgresEventSettings) -> Self {
        #[cfg(feature = "tls")]
        let encryption = settings.trust.is_some();
        #[cfg(not(feature = "tls"))]
        let encryption = false;
        Self { deadline: settings.deadline, encryption, options: settings.session_options() }
    }

    /// Says of a connection that does not meet them what it lacks, and the cure.
    pub(super) fn judge(&self, connection: &Connection) -> Result<(), Error> {
        if self.encryption && !connection.encrypted {
            let message = "a connection is not encrypted, and the settings say whom to trust: \
                           let the pool make encrypted ones, or leave `trust` out";
            return Err(Error::invalid("bad-pool", message));
        }
        if connection.synchronous_commit == "off" {
            return Err(self.lacks("synchronous_commit is off, so that what was answered may be lost".to_owned()));
        }
        let most = self.deadline.as_millis();
        for (name, timeout) in TIMEOUTS.iter().zip(connection.timeouts) {
            if timeout == 0 || timeout > most {
                return Err(self.lacks(format!("{name} is {timeout} ms, and has to be from 1 to {most}")));
            }
        }
        Ok(())
    }

    fn lacks(&self, what: String) -> Error {
        let options = &self.options;
        Error::invalid("bad-pool", format!("{what}: give the pool's connections the options \"{options}\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [u128; 3] = [5_000, 3_750, 5_000];

    fn judged(encryption: bool, encrypted: bool, commit: &str, timeouts: [u128; 3]) -> Result<(), Error> {
        let demands = Demands { deadline: Duration::from_secs(5), encryption, options: "-c these".to_owned() };
        demands.judge(&Connection { pid: 1, encrypted, synchronous_commit: commit.to_owned(), timeouts })
    }

    #[test]
    fn what_is_lacking_is_named() {
        for commit in ["on", "local", "remote_write", "remote_apply"] {
            judged(false, false, commit, GOOD).unwrap();
        }
        judged(true, true, "on", GOOD).unwrap();
        let says = |judged: Result<(), Error>, what: &str| {
            let error = judged.unwrap_err();
            assert_eq!(error.code(), "bad-pool");
            assert!(error.message().contains(what), "{error}");
        };
        says(judged(true, false, "on", GOOD), "not encrypted");
        says(judged(false, true, "off", GOOD), "synchronous_commit");
        for (at, name) in TIMEOUTS.iter().enumerate() {
            for bad in [0, 5_001] {
                let mut timeouts = GOOD;
                timeouts[at] = bad;
                says(judged(false, false, "on", timeouts), name);
            }
        }
        says(judged(false, false, "off", GOOD), "-c these");
    }
}

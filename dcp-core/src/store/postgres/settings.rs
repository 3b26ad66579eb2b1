//! How a store reaches its server.

use std::time::Duration;

use crate::error::Error;
use crate::ids::RegionId;

/// Longest deadline.
const DEADLINE_MAX: Duration = Duration::from_secs(3_600);

/// Settings of a [`PostgresEventStore`](super::PostgresEventStore).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PostgresEventSettings {
    /// The region whose store it is.
    pub region: RegionId,
    /// Schema that holds the store's tables (`dcp`).
    pub schema: String,
    /// How long one transaction may take, and before it the wait for a connection (5 s). The server
    /// gives up by itself after the same time, and a wait for a lock after three quarters of it.
    pub deadline: Duration,
    /// After how long a write that has no answer looks whether another session holds a lock that it
    /// needs (500 ms, and never more than a quarter of the deadline). Its error then names that session.
    pub patience: Duration,
    /// Whom to trust; connections are then encrypted, or not made (none: not encrypted).
    #[cfg(feature = "tls")]
    pub trust: Option<crate::tls::Trust>,
    /// How often the server is asked for new records while somebody waits for them (20 ms). One
    /// question serves all readers.
    pub poll: Duration,
}

impl PostgresEventSettings {
    /// Settings with the defaults named at the fields.
    #[must_use]
    pub fn new(region: RegionId) -> Self {
        let (deadline, poll) = (Duration::from_secs(5), Duration::from_millis(20));
        Self {
            region,
            schema: "dcp".to_owned(),
            deadline,
            patience: Duration::from_millis(500),
            #[cfg(feature = "tls")]
            trust: None,
            poll,
        }
    }

    /// With another schema: a letter, then letters, digits and `_`, all lower case, at most 63; not `pg_...`,
    /// which the server keeps for itself.
    #[must_use]
    pub fn with_schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// With another deadline, from 10 ms to an hour.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// With another patience, of at least 1 ms.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// With encrypted connections, to servers that it trusts and whose certificate is for the name (or
    /// address) by which they are reached.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_trust(mut self, trust: crate::tls::Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// What each connection of a pool has to have among its `options`: time-outs by which the server
    /// gives up with its client, commits that are durable when they are answered, and plans that hold
    /// while tables grow (these are not asked for). A store that makes its own pool sets it.
    #[must_use]
    pub fn session_options(&self) -> String {
        let whole = self.deadline.min(DEADLINE_MAX).as_millis();
        let lock = whole * 3 / 4;
        // A plan is kept with its statement. One that was made while a table was small would read it
        // from end to end for as long as the server does not notice that it has grown.
        format!(
            "-c statement_timeout={whole} -c lock_timeout={lock} -c idle_in_transaction_session_timeout={whole} \
             -c synchronous_commit=on -c plan_cache_mode=force_generic_plan -c enable_seqscan=off"
        )
    }

    /// With another interval of asking for new records, of at least 1 ms.
    #[must_use]
    pub fn with_poll(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let mut letters = self.schema.bytes();
        let lawful = letters.next().is_some_and(|first| first.is_ascii_lowercase())
            && letters.all(|next| next.is_ascii_lowercase() || next.is_ascii_digit() || next == b'_')
            && self.schema.len() <= 63
            && !self.schema.starts_with("pg_");
        if !lawful {
            let message = format!(
                "schema {:?}: a letter, then letters, digits and _, all lower case, and not pg_...",
                self.schema
            );
            return Err(Error::invalid("bad-schema-name", message));
        }
        let lawful = (Duration::from_millis(10)..=DEADLINE_MAX).contains(&self.deadline);
        if !lawful || self.poll.min(self.patience) < Duration::from_millis(1) {
            let Self { deadline, patience, poll, .. } = self;
            let message =
                format!("deadline {deadline:?} (from 10 ms to 1 h), patience {patience:?}, poll {poll:?} (from 1 ms)");
            return Err(Error::invalid("bad-interval", message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(settings: &PostgresEventSettings) -> Option<&'static str> {
        settings.check().err().map(|error| if error.code() == "bad-interval" { "interval" } else { "name" })
    }

    #[test]
    fn what_the_server_would_refuse_is_refused_at_once() {
        let west = PostgresEventSettings::new(RegionId::new("west").unwrap());
        assert_eq!(code(&west), None);
        assert_eq!(code(&west.clone().with_schema("pgx")), None);
        for name in ["pg_", "pg_store", "", "Upper", "1st", "with space"] {
            assert_eq!(code(&west.clone().with_schema(name)), Some("name"), "{name}");
        }
        for deadline in [10, 3_600_000] {
            assert_eq!(code(&west.clone().with_deadline(Duration::from_millis(deadline))), None);
        }
        for deadline in [Duration::MAX, Duration::from_millis(3_600_001), Duration::from_millis(9), Duration::ZERO] {
            let settings = west.clone().with_deadline(deadline);
            assert_eq!(code(&settings), Some("interval"), "{deadline:?}");
            assert!(settings.session_options().contains("statement_timeout"));
        }
    }
}

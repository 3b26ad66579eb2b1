//! Who holds a lock that a transaction of ours waits for.

use std::fmt;

use tokio_postgres::Row;

/// Those at the end of the chain of waiting sessions that begins at `$1`, the oldest transaction first.
/// Every session may see who they are; what they do is shown to members of `pg_read_all_stats` only.
pub(super) const QUERY: &str = "\
    WITH RECURSIVE waits (pid, steps) AS (\
    SELECT unnest(pg_blocking_pids($1)), 1 \
    UNION SELECT unnest(pg_blocking_pids(w.pid)), w.steps + 1 FROM waits w WHERE w.steps < 16) \
    SELECT DISTINCT w.pid, a.application_name, a.usename::text, a.state, \
    extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS transaction_seconds, \
    extract(epoch FROM clock_timestamp() - a.query_start)::float8, a.query_start::text, left(a.query, 120) \
    FROM waits w LEFT JOIN pg_stat_activity a USING (pid) \
    WHERE w.pid = 0 OR (w.pid <> $1 AND cardinality(pg_blocking_pids(w.pid)) = 0) \
    ORDER BY transaction_seconds DESC NULLS LAST LIMIT 1";

/// A session that holds others up, as the server describes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Blocker {
    /// 0 for a prepared transaction, which no session holds.
    pub(super) pid: i32,
    pub(super) application: String,
    pub(super) user: String,
    pub(super) state: String,
    pub(super) transaction_seconds: Option<f64>,
    pub(super) query_seconds: Option<f64>,
    pub(super) query_start: Option<String>,
    pub(super) query: Option<String>,
}

impl Blocker {
    pub(super) fn read(row: &Row) -> Self {
        let text = |column| row.get::<_, Option<String>>(column);
        Self {
            pid: row.get(0),
            application: text(1).unwrap_or_default(),
            user: text(2).unwrap_or_default(),
            state: text(3).unwrap_or_else(|| "not shown".to_owned()),
            transaction_seconds: row.get(4),
            query_seconds: row.get(5),
            query_start: text(6),
            query: text(7),
        }
    }
}

impl Blocker {
    /// Says who holds a store's writers up.
    pub(super) fn report(&self, schema: &str) {
        tracing::warn!(
            event = crate::telemetry::LOCK_HELD,
            holder = self.pid,
            application = self.application,
            state = self.state,
            transaction_seconds = self.transaction_seconds,
            query_seconds = self.query_seconds,
            schema,
            "a write waits for {self}"
        );
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return f.write_str("a prepared transaction (see pg_prepared_xacts; commit it or roll it back)");
        }
        let Self { pid, application, user, state, .. } = self;
        write!(f, "process {pid} (application_name {application:?}, user {user}, {state}")?;
        if let Some(seconds) = self.transaction_seconds {
            write!(f, ", transaction open for {seconds:.1} s")?;
        }
        if let Some(start) = &self.query_start {
            write!(f, ", last query began at {start}")?;
        }
        if let Some(query) = &self.query {
            write!(f, ": {query}")?;
        }
        write!(f, "); end it there, or by SELECT pg_terminate_backend({pid})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_reads_who_it_is_and_what_to_do() {
        let mut blocker = Blocker {
            pid: 42,
            application: "night job".to_owned(),
            user: "clerk".to_owned(),
            state: "idle in transaction".to_owned(),
            transaction_seconds: Some(61.25),
            query_seconds: None,
            query_start: Some("2025-01-01 03:00:00+00".to_owned()),
            query: None,
        };
        assert_eq!(
            blocker.to_string(),
            "process 42 (application_name \"night job\", user clerk, idle in transaction, transaction open for 61.2 s, \
             last query began at 2025-01-01 03:00:00+00); end it there, or by SELECT pg_terminate_backend(42)"
        );
        blocker.pid = 0;
        assert!(blocker.to_string().contains("pg_prepared_xacts"));
    }
}

//! What a failed statement means: whether anything was written, and what cures it. Pure.

use tokio_postgres::error::{Severity, SqlState};

use crate::error::{Error, Failure};

/// A server's or a connection's error, as the error of a read or of something that was not committed.
pub(super) fn error(cause: &tokio_postgres::Error) -> Error {
    let Some(server) = cause.as_db_error() else {
        return of_connection(cause);
    };
    let place = server.where_().or(server.routine()).map_or_else(String::new, |place| format!(" at {place}"));
    said(server.code(), &format!("{} ({}{place})", server.message(), server.code().code()))
}

// What a server's error means, by its code.
fn said(code: &SqlState, said: &str) -> Error {
    match code {
        &SqlState::READ_ONLY_SQL_TRANSACTION => Error::refused(
            "read-only-server",
            format!("{said}: the server is in recovery or read-only; connect to the primary"),
        ),
        &SqlState::DISK_FULL => Error::retry("disk-full", format!("{said}: make room on the server's disk")),
        &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Error::refused(
            "not-authorised",
            format!("{said}: correct user, password or certificate, or what the server's pg_hba.conf demands of them"),
        ),
        &SqlState::INSUFFICIENT_PRIVILEGE => {
            Error::refused("not-permitted", format!("{said}: grant it to the store's user"))
        }
        &SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME | &SqlState::UNDEFINED_COLUMN => {
            Error::invalid("no-schema", format!("{said}: run PostgresEventStore::migrate first"))
        }
        &SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED | &SqlState::UNIQUE_VIOLATION => {
            Error::corrupt("store-contradicts-itself", format!("{said}: stop the writers and keep the data"))
        }
        &SqlState::LOCK_NOT_AVAILABLE => Error::retry(
            "lock-held",
            format!("{said}: another session holds the store's rows; pg_blocking_pids names it"),
        ),
        &SqlState::INVALID_CATALOG_NAME => {
            Error::invalid("no-database", format!("{said}: create it, or correct the connection's `dbname`"))
        }
        &SqlState::INVALID_PARAMETER_VALUE => {
            Error::invalid("bad-server-setting", format!("{said}: correct it in the connection's options or settings"))
        }
        // Somebody else made the same at the same time: the next attempt finds it.
        &SqlState::DUPLICATE_SCHEMA | &SqlState::DUPLICATE_TABLE | &SqlState::DUPLICATE_OBJECT => {
            Error::retry("server-refused", said)
        }
        // It is never otherwise by waiting.
        code if code.code().starts_with("42") => Error::invalid(
            "bad-statement",
            format!("{said}: correct the schema's name, or what was changed in the schema or at the server"),
        ),
        // Time-outs, deadlocks, failed serialisation, a server that shuts down or starts, too many
        // connections: another attempt may pass.
        _ => Error::retry("server-refused", said),
    }
}

// The client's own: of the way to the server, or of what it could not answer there.
fn of_connection(cause: &tokio_postgres::Error) -> Error {
    #[cfg(feature = "tls")]
    if let Some(error) = crate::tls::fault(cause) {
        return error;
    }
    let text = text(cause);
    // The driver tells these apart by its words alone.
    let says = |words: &str| text.contains(words);
    if says("server does not support TLS") {
        return Error::refused(
            "tls-not-offered",
            format!("{text}: switch ssl on at the server, or connect to another"),
        );
    }
    if says("password missing") || text.starts_with("authentication error") {
        return Error::refused("not-authorised", format!("{text}: correct user and password"));
    }
    if text.starts_with("invalid configuration") || says("dns name") || says("no hostname provided") {
        return Error::invalid("bad-connection-settings", text);
    }
    Error::retry("connection-lost", text)
}

/// An error of the answer to a commit: a refusal by the server is certain, silence is not.
pub(super) fn of_commit(cause: &tokio_postgres::Error) -> Failure {
    match cause.as_db_error() {
        Some(server) if is_rolled_back(server.parsed_severity(), server.code()) => Failure::NotApplied(error(cause)),
        _ => Failure::in_doubt("commit-unanswered", format!("{}; send the same batch again", text(cause))),
    }
}

// Only an ERROR says that the transaction was rolled back. What ends a session (FATAL) can come after its
// commit, and what ends the server (PANIC: no room for its log, a disk that fails) after its commit was
// written; both with codes that an ERROR has too. A wait that is cancelled may be the one behind a commit.
fn is_rolled_back(severity: Option<Severity>, code: &SqlState) -> bool {
    severity == Some(Severity::Error) && *code != SqlState::QUERY_CANCELED
}

/// A pool's error.
pub(super) fn of_pool(cause: &deadpool_postgres::PoolError) -> Error {
    match cause {
        deadpool_postgres::PoolError::Backend(cause) => error(cause),
        deadpool_postgres::PoolError::Timeout(_) => Error::retry(
            "no-connection",
            "no connection became free in time; allow more, or look for long transactions",
        ),
        other => Error::stopped("pool-closed", other.to_string()),
    }
}

/// A value that only a damaged or foreign store can hold.
pub(super) fn damaged(what: impl std::fmt::Display) -> Error {
    Error::corrupt("store-contradicts-itself", format!("{what}: stop the writers and keep the data"))
}

// The outermost text alone says little; the cause behind it says what happened.
fn text(cause: &tokio_postgres::Error) -> String {
    use std::error::Error as _;
    match cause.source() {
        Some(source) => format!("{cause}: {source}"),
        None => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waiting_does_not_cure_is_not_to_be_tried_again() {
        use crate::error::ErrorKind::{Invalid, Refused, Retry};
        for (code, kind, name) in [
            ("3D000", Invalid, "no-database"),
            ("22023", Invalid, "bad-server-setting"),
            ("42601", Invalid, "bad-statement"),
            ("42939", Invalid, "bad-statement"),
            ("42883", Invalid, "bad-statement"),
            ("42P01", Invalid, "no-schema"),
            ("42703", Invalid, "no-schema"),
            ("3F000", Invalid, "no-schema"),
            ("42501", Refused, "not-permitted"),
            ("42P06", Retry, "server-refused"),
            ("42P07", Retry, "server-refused"),
            ("42710", Retry, "server-refused"),
            ("40001", Retry, "server-refused"),
            ("40P01", Retry, "server-refused"),
            ("57014", Retry, "server-refused"),
            ("57P03", Retry, "server-refused"),
            ("53300", Retry, "server-refused"),
            ("55P03", Retry, "lock-held"),
            ("53100", Retry, "disk-full"),
        ] {
            let error = said(&SqlState::from_code(code), &format!("what it said ({code})"));
            assert_eq!((error.kind(), error.code()), (kind, name), "{code}");
            assert!(error.message().contains(code), "{error}");
        }
    }

    #[test]
    fn only_an_error_is_certain() {
        for code in [SqlState::DISK_FULL, SqlState::IO_ERROR, SqlState::INTERNAL_ERROR, SqlState::UNIQUE_VIOLATION] {
            assert!(is_rolled_back(Some(Severity::Error), &code), "{code:?}");
            for severity in [Severity::Panic, Severity::Fatal, Severity::Warning, Severity::Notice] {
                assert!(!is_rolled_back(Some(severity), &code), "{severity} {code:?}");
            }
            assert!(!is_rolled_back(None, &code), "{code:?}");
        }
        for code in [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT]
        {
            assert!(!is_rolled_back(Some(Severity::Fatal), &code), "{code:?}");
        }
        assert!(!is_rolled_back(Some(Severity::Error), &SqlState::QUERY_CANCELED));
    }
}

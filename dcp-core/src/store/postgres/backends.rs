//! Which process of the server each connection talks to.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use deadpool_postgres::StatementCache;

/// Process ids by connection. The server tells one only to the connection itself, and a connection
/// that waits for a lock can no longer ask: each is asked for when it is first used. A connection that is
/// known has what the store demands.
///
/// A connection is known by the place of its statement cache, which nobody else gets while this holds
/// on to it.
#[derive(Debug, Default)]
pub(super) struct Backends(Mutex<Vec<(Weak<StatementCache>, i32)>>);

impl Backends {
    pub(super) fn get(&self, connection: &Arc<StatementCache>) -> Option<i32> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(cache, _)| std::ptr::eq(cache.as_ptr(), Arc::as_ptr(connection))).map(|(_, pid)| *pid)
    }

    /// Notes one, and forgets those of connections that are closed.
    pub(super) fn note(&self, connection: &Arc<StatementCache>, pid: i32) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(cache, _)| cache.strong_count() > 0);
        known.push((Arc::downgrade(connection), pid));
    }
}

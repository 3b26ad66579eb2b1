//! Steps that the clauses share.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::{ErrorKind, Failure};
use crate::ports::state_store::{Entry, Key, Revision, StateStore, Transaction};
use crate::testing::Violation;

/// The store under test.
pub(super) type Store = Arc<dyn StateStore>;

/// A key.
pub(super) fn key(text: impl Into<String>) -> Result<Key, Violation> {
    Ok(Key::new(text)?)
}

/// Sets one value without a condition.
pub(super) async fn put(store: &Store, name: &str, value: &str) -> Result<Revision, Violation> {
    Ok(store.commit(Transaction::new().put(key(name)?, value.to_owned())).await?)
}

/// The entry of a key.
pub(super) async fn entry(store: &Store, name: &str) -> Result<Option<Entry>, Violation> {
    Ok(store.read(&key(name)?).await?)
}

/// The value of a key.
pub(super) async fn value(store: &Store, name: &str) -> Result<Option<Bytes>, Violation> {
    Ok(entry(store, name).await?.map(|entry| entry.value))
}

/// Demands that a commit certainly did not happen, for this reason.
pub(super) fn demand_refusal(result: Result<Revision, Failure>, kind: ErrorKind, what: &str) -> Result<(), Violation> {
    match &result {
        Err(Failure::NotApplied(error)) if error.kind() == kind => Ok(()),
        other => Err(Violation(format!("{what}: expected a refusal of kind {kind}, got {other:?}"))),
    }
}

//! The durable state of a link, in its region's state store.

use dcp_core::ids::LinkId;
use dcp_core::operation::Operation;
use dcp_core::ports::{Entry, Key, StateStore, Transaction};
use dcp_core::{Error, ErrorKind, Failure};

use crate::decide::Divergence;
use crate::state_machine::{Change, StoredState, change as changed};

/// Most attempts when others change the state at the same time.
const ATTEMPTS_MAX: usize = 16;

pub(super) fn key(link: &LinkId) -> Result<Key, Error> {
    Key::new(format!("link/{link}/state"))
}

/// The state and the entry it was read from.
pub(super) async fn read(store: &dyn StateStore, link: &LinkId) -> Result<(StoredState, Option<Entry>), Error> {
    let entry = store.read(&key(link)?).await?;
    let stored = match &entry {
        None => StoredState::default(),
        Some(entry) => serde_json::from_slice(&entry.value)
            .map_err(|cause| Error::corrupt("bad-link-state", format!("{}: {cause}", entry.key)))?,
    };
    Ok((stored, entry))
}

/// Applies an operation.
pub(super) async fn change(
    store: &dyn StateStore,
    link: &LinkId,
    operation: &Operation,
    change: &Change,
) -> Result<(), Failure> {
    update(store, link, |stored| changed(link, stored, operation.key(), operation.term(), change)).await
}

/// Keeps why the link stopped; the first failure stays.
pub(super) async fn fail(store: &dyn StateStore, link: &LinkId, failure: &Divergence) -> Result<(), Failure> {
    update(store, link, |stored| {
        let failed = StoredState { failure: Some(failure.clone()), ..stored.clone() };
        Ok(stored.failure.is_none().then_some(failed))
    })
    .await
}

async fn update(
    store: &dyn StateStore,
    link: &LinkId,
    next: impl Fn(&StoredState) -> Result<Option<StoredState>, Error> + Send + Sync,
) -> Result<(), Failure> {
    for _ in 0..ATTEMPTS_MAX {
        let (stored, entry) = read(store, link).await.map_err(Failure::NotApplied)?;
        let Some(next) = next(&stored).map_err(Failure::NotApplied)? else { return Ok(()) };
        let value = serde_json::to_vec(&next)
            .map_err(|cause| Failure::NotApplied(Error::invalid("bad-link-state", cause.to_string())))?;
        let key = key(link).map_err(Failure::NotApplied)?;
        match store.commit(Transaction::new().unchanged(key.clone(), entry.as_ref()).put(key, value)).await {
            Ok(_) => return Ok(()),
            Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Conflict => {}
            Err(failure) => return Err(failure),
        }
    }
    Err(Failure::NotApplied(Error::retry("link-state-busy", format!("link {link}: its state changes too often"))))
}

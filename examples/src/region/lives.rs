//! Which life of a region's process this is.

use dcp_core::ports::{Key, StateStore, Transaction};
use dcp_core::{Error, ErrorKind, Failure};

// Another process of the region may start at the same time.
const ATTEMPTS_MAX: u32 = 5;

/// Counts this start, durably, from 1.
///
/// What is drawn from a seed is drawn again after a restart: the life's number must go into it, or
/// an election would take a restarted process for the one that was elected, under its old term.
///
/// # Errors
/// What the state store answers; `Retry` if it is not known whether the start was counted.
pub async fn next_life(state: &dyn StateStore) -> Result<u64, Error> {
    let key = Key::new("region/lives")?;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let before = state.read(&key).await?;
        let last: u64 = match &before {
            None => 0,
            Some(entry) => serde_json::from_slice(&entry.value)
                .map_err(|cause| Error::corrupt("bad-life", format!("{key}: {cause}")))?,
        };
        let life = last + 1;
        let transaction =
            Transaction::new().unchanged(key.clone(), before.as_ref()).put(key.clone(), life.to_string().into_bytes());
        match state.commit(transaction).await {
            Ok(_) => return Ok(life),
            Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Conflict && attempts < ATTEMPTS_MAX => {}
            Err(Failure::NotApplied(error)) => return Err(error),
            Err(Failure::InDoubt(doubt)) => return Err(Error::retry("start-in-doubt", doubt.to_string())),
        }
    }
}

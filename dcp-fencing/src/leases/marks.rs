//! Marks in the region's state store, by which the witness tells that it has not gone back.
//!
//! | Key | Value |
//! |---|---|
//! | `continuity/<region>` | the mark that was last known to be kept by the witness, and the one that is sent now |
//!
//! A mark is drawn for each renewal and is durable before the renewal is sent. Until it is known
//! that a renewal took effect, the same mark is sent again: so two marks are enough, whatever is
//! lost on the way, and the witness always remembers one of them.

use std::sync::Arc;

use dcp_core::clock::Entropy;
use dcp_core::digest::Digest;
use dcp_core::ids::RegionId;
use dcp_core::ports::{Key, StateStore, Transaction};
use dcp_core::{Error, Failure};
use serde::{Deserialize, Serialize};

/// What the state store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Marks {
    answered: Option<Digest>,
    pending: Digest,
}

impl Marks {
    fn all(self) -> Vec<Digest> {
        self.answered.into_iter().chain([self.pending]).collect()
    }
}

/// Marks to show and to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Presented {
    pub(super) shown: Vec<Digest>,
    pub(super) sent: Digest,
}

// What is held next, from what is held, what the witness remembers and a fresh draw; none if the
// store does not hold what the witness remembers.
fn next(held: Option<Marks>, remembered: Option<Digest>, drawn: Digest) -> Option<Marks> {
    match (held, remembered) {
        // The first start, or the first renewal after an operator's word.
        (None, None) => Some(Marks { answered: None, pending: drawn }),
        (Some(held), None) => Some(held),
        (Some(held), Some(mark)) if held.pending == mark => Some(Marks { answered: Some(mark), pending: drawn }),
        (Some(held), Some(mark)) if held.answered == Some(mark) => Some(held),
        _ => None,
    }
}

/// The marks of one region.
#[derive(Debug)]
pub(super) struct StateMarks {
    state: Arc<dyn StateStore>,
    entropy: Arc<dyn Entropy>,
}

impl StateMarks {
    pub(super) fn new(state: Arc<dyn StateStore>, entropy: Arc<dyn Entropy>) -> Self {
        Self { state, entropy }
    }

    /// Makes the mark of the next renewal durable. `Refused` (`state-went-back`) if the store does
    /// not hold what the witness remembers; `Conflict` if another process of the region was faster.
    pub(super) async fn present(&self, region: &RegionId, remembered: Option<Digest>) -> Result<Presented, Error> {
        let key = Key::new(format!("continuity/{region}"))?;
        let entry = self.state.read(&key).await?;
        let held: Option<Marks> = entry
            .as_ref()
            .map(|entry| serde_json::from_slice(&entry.value))
            .transpose()
            .map_err(|cause| Error::corrupt("bad-marks", format!("{key}: {cause}")))?;
        let Some(next) = next(held, remembered, Digest::from_bytes(self.entropy.draw())) else {
            return Err(Error::refused(
                "state-went-back",
                format!(
                    "{region}: its state store does not hold the mark of its last renewal; a backup was restored or a disk was lost: keep it closed and readmit it at the witness"
                ),
            ));
        };
        if held != Some(next) {
            let value =
                serde_json::to_vec(&next).map_err(|cause| Error::invalid("unwritable-marks", cause.to_string()))?;
            let transaction = Transaction::new().unchanged(key.clone(), entry.as_ref()).put(key, value);
            self.state.commit(transaction).await.map_err(not_sent)?;
        }
        Ok(Presented { shown: held.map(Marks::all).unwrap_or_default(), sent: next.pending })
    }
}

// The renewal is not sent then. Whether the mark is there is found by reading it for the next one.
fn not_sent(failure: Failure) -> Error {
    match failure {
        Failure::NotApplied(error) => error,
        Failure::InDoubt(doubt) => Error::retry("mark-in-doubt", doubt.to_string()),
    }
}

#[cfg(test)]
mod tests;

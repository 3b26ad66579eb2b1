//! Slices that this region has let go of: durable, and never opened again under the same epoch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::OwnedMutexGuard;

use crate::error::{Error, Failure};
use crate::ids::{RegionId, SliceRef};
use crate::operation::{OperationKey, SealReceipt};
use crate::ownership::Epoch;
use crate::ports::state_store::{Entry, Key, StateStore, Transaction};

/// What this region has let go of, in its own state store; asked before a slice is opened.
#[derive(Debug)]
pub struct Releases {
    state: Arc<dyn StateStore>,
    // One per slice, held while it is let go of and while it is opened: or it could be opened on a
    // reading from before it was let go of.
    still: Mutex<BTreeMap<SliceRef, Arc<tokio::sync::Mutex<()>>>>,
}

/// That one slice was let go of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Released {
    /// The epoch that was given up.
    pub(crate) epoch: Epoch,
    /// The successor that asked for it.
    pub(crate) to: RegionId,
    /// The step of the successor's run.
    pub(crate) key: OperationKey,
    /// Where the logs end; none until they are sealed.
    pub(crate) receipt: Option<SealReceipt>,
}

fn key_of(slice: &SliceRef) -> Result<Key, Error> {
    Key::new(format!("release/{slice}"))
}

impl Releases {
    /// Over the region's state store.
    #[must_use]
    pub fn new(state: Arc<dyn StateStore>) -> Self {
        Self { state, still: Mutex::default() }
    }

    /// Neither opened nor let go of by anybody else while this is held.
    pub(crate) async fn hold_still(&self, slice: &SliceRef) -> OwnedMutexGuard<()> {
        let of_slice = {
            let mut still = self.still.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(still.entry(slice.clone()).or_default())
        };
        of_slice.lock_owned().await
    }

    /// Whether a slice was let go of under this epoch or a later one: then it must not open here.
    ///
    /// # Errors
    /// As the state store's read.
    pub async fn holds(&self, slice: &SliceRef, epoch: Epoch) -> Result<bool, Error> {
        Ok(self.of(slice).await?.is_some_and(|released| released.epoch >= epoch))
    }

    /// What a slice was let go of last.
    pub(crate) async fn of(&self, slice: &SliceRef) -> Result<Option<Released>, Error> {
        Ok(self.load(slice).await?.map(|(released, _)| released))
    }

    async fn load(&self, slice: &SliceRef) -> Result<Option<(Released, Entry)>, Error> {
        let Some(entry) = self.state.read(&key_of(slice)?).await? else { return Ok(None) };
        let released = serde_json::from_slice(&entry.value)
            .map_err(|cause| Error::corrupt("bad-release", format!("{slice}: {cause}")))?;
        Ok(Some((released, entry)))
    }

    /// Makes it durable. One of an older epoch never takes the place of a newer one: the newer
    /// epoch would open again.
    pub(crate) async fn save(&self, slice: &SliceRef, released: &Released) -> Result<(), Failure> {
        let read = self.load(slice).await.map_err(Failure::NotApplied)?;
        let transaction = || {
            if let Some((stored, _)) = &read
                && stored.epoch > released.epoch
            {
                let message = format!("{slice}: epoch {} was released, and then {}", released.epoch, stored.epoch);
                return Err(Error::fenced("older-release", message));
            }
            let key = key_of(slice)?;
            let value = serde_json::to_vec(released)
                .map_err(|cause| Error::invalid("unwritable-release", format!("{slice}: {cause}")))?;
            let entry = read.as_ref().map(|(_, entry)| entry);
            Ok::<_, Error>(Transaction::new().unchanged(key.clone(), entry).put(key, value))
        };
        self.state.commit(transaction().map_err(Failure::NotApplied)?).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! A model store over any [`StateStore`].
//!
//! A state store takes 128 writes of 1 MiB in a transaction, and a batch of events changes thousands
//! of small rows. So a commit writes its changed rows as a few *deltas*, together with the head that
//! names them: its cost follows what changed. When deltas have gathered, they are *folded* into
//! *buckets*, each of which holds the rows of one part of the keys (by hash).
//!
//! Everything is conditional on the head, so that a predecessor's commit is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::error::ErrorKind;
use dcp_core::ports::{Key, StateStore, Transaction};
use dcp_core::{Error, Failure};
use tokio::sync::Mutex;

use crate::model_store::{Changes, ModelRevision, ModelStore, SCAN_MAX_ROWS};
use crate::row::RowKey;
use crate::telemetry;

mod bucket;
mod fold;
mod head;
mod loaded;

use head::{DELTAS_PER_COMMIT_MAX, Layout};
use loaded::Loaded;

/// Deltas after which they are folded into buckets.
const FOLD_AFTER_DELTAS: u64 = 64;
/// Bytes of deltas after which they are folded into buckets.
const FOLD_AFTER_BYTES: usize = 8 << 20;
/// How often a call is repeated because another handle committed meanwhile.
const ATTEMPTS: u32 = 16;

/// A [`ModelStore`] that keeps its rows in a [`StateStore`], packed.
///
/// Limits: each bucket is one value of at most 1 MiB, so that a model of `n` buckets holds somewhat
/// less than `n` MiB; beyond it commits are refused. At most 24 MiB of rows change in one commit.
/// Memory: the bucket cache's bound, and the deltas not folded yet (at most about 32 MiB).
#[derive(Debug)]
pub struct StateModelStore {
    state: Arc<dyn StateStore>,
    layout: Layout,
    buckets: u32,
    cache_bytes: usize,
    loaded: Mutex<Option<Loaded>>,
}

impl StateModelStore {
    /// A model kept under `prefix/`; 64 buckets and 32 MiB of bucket cache.
    ///
    /// # Errors
    /// `Invalid` if the prefix leaves no room for keys.
    pub fn new(state: Arc<dyn StateStore>, prefix: impl Into<String>) -> Result<Self, Error> {
        let layout = Layout::new(prefix.into())?;
        Ok(Self { state, layout, buckets: 64, cache_bytes: 32 << 20, loaded: Mutex::new(None) })
    }

    /// With another number of buckets, 1 to 4,096; it takes effect when the model is begun and stays.
    #[must_use]
    pub fn with_buckets(mut self, buckets: u32) -> Self {
        self.buckets = buckets.clamp(1, 4_096);
        self
    }

    /// With another bound on the bucket cache, in bytes of packed rows.
    #[must_use]
    pub fn with_cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// What the store holds now: what was loaded, if the head has not moved since.
    async fn current(&self, loaded: Option<Loaded>) -> Result<Loaded, Error> {
        let head = self.state.read(&self.layout.head()?).await?;
        match loaded {
            Some(loaded) if loaded.is_of(head.as_ref()) => Ok(loaded),
            _ => Loaded::load(self.state.as_ref(), &self.layout, self.buckets).await,
        }
    }

    /// Whether the head is still the one of what was loaded.
    async fn unmoved(&self, loaded: &Loaded) -> Result<bool, Error> {
        Ok(loaded.is_of(self.state.read(&self.layout.head()?).await?.as_ref()))
    }

    /// Commits a new head with these deltas. On success `loaded` is of that head.
    async fn advance(&self, loaded: &mut Loaded, deltas: &[Bytes]) -> Result<(), Failure> {
        let prepare = || -> Result<_, Error> {
            let mut head = loaded.head.clone();
            head.sequence += 1;
            let mut transaction = loaded.conditional(&self.layout)?;
            for delta in deltas {
                transaction = transaction.put(self.layout.delta(head.delta_next)?, delta.clone());
                head.delta_next += 1;
            }
            Ok((transaction.put(self.layout.head()?, head.encode()?), head))
        };
        let (transaction, head) = prepare().map_err(Failure::NotApplied)?;
        let revision = self.state.commit(transaction).await?;
        loaded.head = head;
        loaded.revision = Some(revision);
        Ok(())
    }
}

#[async_trait]
impl ModelStore for StateModelStore {
    async fn claim(&self) -> Result<ModelRevision, Failure> {
        let mut slot = self.loaded.lock().await;
        for _ in 0..ATTEMPTS {
            let mut loaded = self.current(slot.take()).await.map_err(Failure::NotApplied)?;
            match self.advance(&mut loaded, &[]).await {
                Ok(()) => {
                    let revision = ModelRevision::from_store(loaded.head.sequence);
                    *slot = Some(loaded);
                    return Ok(revision);
                }
                // Somebody committed in between, perhaps a call of our own that was dropped.
                Err(failure) if is_conflict(&failure) => {}
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::NotApplied(moving()))
    }

    async fn read(&self, keys: &[RowKey]) -> Result<Vec<Option<Bytes>>, Error> {
        let mut slot = self.loaded.lock().await;
        for _ in 0..ATTEMPTS {
            let mut loaded = self.current(slot.take()).await?;
            let mut fetched = false;
            let mut values = Vec::with_capacity(keys.len());
            for key in keys {
                let (value, from_store) =
                    loaded.value(self.state.as_ref(), &self.layout, self.cache_bytes, key).await?;
                fetched |= from_store;
                values.push(value);
            }
            if !fetched || self.unmoved(&loaded).await? {
                *slot = Some(loaded);
                return Ok(values);
            }
        }
        Err(moving())
    }

    async fn scan(&self, prefix: &[u8], after: Option<&RowKey>, limit: usize) -> Result<Vec<(RowKey, Bytes)>, Error> {
        let limit = limit.min(SCAN_MAX_ROWS);
        let mut slot = self.loaded.lock().await;
        for _ in 0..ATTEMPTS {
            let mut loaded = self.current(slot.take()).await?;
            let rows = loaded.scan(self.state.as_ref(), &self.layout, self.cache_bytes, prefix, after, limit).await?;
            if self.unmoved(&loaded).await? {
                *slot = Some(loaded);
                return Ok(rows);
            }
        }
        Err(moving())
    }

    async fn commit(&self, after: ModelRevision, changes: Changes) -> Result<ModelRevision, Failure> {
        let mut slot = self.loaded.lock().await;
        // While it is out of the slot, a failed or dropped call leaves nothing behind that could be stale.
        let mut loaded = match slot.take() {
            Some(loaded) => loaded,
            None => self.current(None).await.map_err(Failure::NotApplied)?,
        };
        not_moved(&loaded, after)?;
        if let Some(full) = loaded.full.clone() {
            *slot = Some(loaded);
            return Err(Failure::NotApplied(full));
        }
        let deltas = bucket::pack(&changes).map_err(Failure::NotApplied)?;
        if deltas.len() > DELTAS_PER_COMMIT_MAX {
            *slot = Some(loaded);
            return Err(Failure::NotApplied(Error::invalid(
                "commit-too-large",
                format!("{} MiB of rows change in one commit: at most {DELTAS_PER_COMMIT_MAX}", deltas.len()),
            )));
        }
        let bytes: usize = deltas.iter().map(Bytes::len).sum();
        let mut attempts = ATTEMPTS;
        while let Err(failure) = self.advance(&mut loaded, &deltas).await {
            if !is_conflict(&failure) || attempts == 0 {
                return Err(failure);
            }
            // The head has moved: by another's commit, or only by a fold of ours whose outcome was unknown.
            attempts -= 1;
            loaded = self.current(None).await.map_err(Failure::NotApplied)?;
            not_moved(&loaded, after)?;
        }
        loaded.absorb(changes, bytes);
        let revision = ModelRevision::from_store(loaded.head.sequence);
        if loaded.deltas() >= FOLD_AFTER_DELTAS || loaded.pending_bytes >= FOLD_AFTER_BYTES {
            // The commit stands whatever becomes of the fold: a failed one leaves the slot empty, so
            // that the next call loads what is there and folds later.
            match fold::fold(self.state.as_ref(), &self.layout, self.cache_bytes, &mut loaded).await {
                Ok(()) => {}
                Err(Failure::NotApplied(full)) if full.code() == fold::MODEL_FULL => loaded.full = Some(full),
                Err(failure) => {
                    tracing::warn!(event = telemetry::FOLD_DELAYED, %failure);
                    return Ok(revision);
                }
            }
        }
        *slot = Some(loaded);
        Ok(revision)
    }
}

/// Whether the model is still at the revision that a commit names.
fn not_moved(loaded: &Loaded, after: ModelRevision) -> Result<(), Failure> {
    let at = loaded.head.sequence;
    if at == after.get() {
        return Ok(());
    }
    let message = format!("commit after {after}, and the model is at {at}: another projector took over");
    Err(Failure::NotApplied(Error::conflict("model-moved", message)))
}

fn is_conflict(failure: &Failure) -> bool {
    failure.not_applied().is_some_and(|error| error.kind() == ErrorKind::Conflict)
}

fn moving() -> Error {
    Error::retry("model-moving", format!("another handle committed during each of {ATTEMPTS} reads"))
}

/// A transaction that holds only while the head is as it was loaded.
fn conditional(head: Key, revision: Option<dcp_core::ports::Revision>) -> Transaction {
    match revision {
        None => Transaction::new().absent(head),
        Some(revision) => Transaction::new().at(head, revision),
    }
}

/// Rows of one bucket, or changes that are not folded yet.
type Bucket = BTreeMap<RowKey, Bytes>;

//! What one handle knows of the model as of one head.

use std::collections::BTreeMap;

use bytes::Bytes;
use dcp_core::Error;
use dcp_core::ports::{Entry, Revision, StateStore, Transaction};

use super::head::{Head, Layout};
use super::{ATTEMPTS, Bucket, bucket, conditional, moving};
use crate::model::decode;
use crate::model_store::Changes;
use crate::row::RowKey;

#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) head: Head,
    /// Of the head's last write; none before the first.
    pub(super) revision: Option<Revision>,
    /// Rows of the deltas that are not folded.
    pub(super) pending: Changes,
    pub(super) pending_bytes: usize,
    /// Set once a bucket would pass its bound: commits are refused from then on.
    pub(super) full: Option<Error>,
    cache: BTreeMap<u32, (Bucket, usize)>,
    cached_bytes: usize,
}

impl Loaded {
    /// Reads head and deltas as of one moment.
    pub(super) async fn load(state: &dyn StateStore, layout: &Layout, buckets: u32) -> Result<Self, Error> {
        for _ in 0..ATTEMPTS {
            let entry = state.read(&layout.head()?).await?;
            let head = entry.as_ref().map_or_else(|| Ok(Head::new(buckets)), |entry| Head::decode(&entry.value))?;
            let mut loaded = Self {
                head,
                revision: entry.as_ref().map(|entry| entry.revision),
                pending: BTreeMap::new(),
                pending_bytes: 0,
                full: None,
                cache: BTreeMap::new(),
                cached_bytes: 0,
            };
            let complete = loaded.load_deltas(state, layout).await?;
            if loaded.is_of(state.read(&layout.head()?).await?.as_ref()) {
                if complete {
                    return Ok(loaded);
                }
                return Err(Error::corrupt(
                    "missing-delta",
                    format!(
                        "the read model's head names deltas {}..{}, and one is missing",
                        loaded.head.delta_from, loaded.head.delta_next
                    ),
                ));
            }
        }
        Err(moving())
    }

    async fn load_deltas(&mut self, state: &dyn StateStore, layout: &Layout) -> Result<bool, Error> {
        for number in self.head.delta_from..self.head.delta_next {
            let Some(delta) = state.read(&layout.delta(number)?).await? else { return Ok(false) };
            let changes = bucket::unpack(&delta.value)?;
            self.absorb(changes, delta.value.len());
        }
        Ok(true)
    }

    pub(super) fn is_of(&self, head: Option<&Entry>) -> bool {
        self.revision == head.map(|entry| entry.revision)
    }

    /// A transaction that holds only while the head is this one.
    pub(super) fn conditional(&self, layout: &Layout) -> Result<Transaction, Error> {
        Ok(conditional(layout.head()?, self.revision))
    }

    pub(super) fn deltas(&self) -> u64 {
        self.head.delta_next - self.head.delta_from
    }

    /// Takes in changes that were committed.
    pub(super) fn absorb(&mut self, changes: impl IntoIterator<Item = (RowKey, Option<Bytes>)>, bytes: usize) {
        self.pending.extend(changes);
        self.pending_bytes += bytes;
    }

    /// The value of a row, and whether a bucket had to be fetched for it.
    pub(super) async fn value(
        &mut self,
        state: &dyn StateStore,
        layout: &Layout,
        cache_bytes: usize,
        key: &RowKey,
    ) -> Result<(Option<Bytes>, bool), Error> {
        if let Some(value) = self.pending.get(key) {
            return Ok((value.clone(), false));
        }
        let number = bucket::bucket_of(key, self.head.buckets);
        let fetched = self.fetch(state, layout, cache_bytes, number).await?;
        Ok((self.cache.get(&number).and_then(|(rows, _)| rows.get(key).cloned()), fetched))
    }

    /// Sees to it that a bucket is in the cache; answers whether it was fetched.
    pub(super) async fn fetch(
        &mut self,
        state: &dyn StateStore,
        layout: &Layout,
        cache_bytes: usize,
        number: u32,
    ) -> Result<bool, Error> {
        if self.cache.contains_key(&number) {
            return Ok(false);
        }
        let (rows, bytes) = match state.read(&layout.bucket(number)?).await? {
            None => (Bucket::new(), 0),
            Some(entry) => {
                let rows = decode(&entry.value).map_err(|error| error.at(&entry.key))?;
                (rows, entry.value.len())
            }
        };
        self.keep(number, rows, bytes, cache_bytes);
        Ok(true)
    }

    /// Puts a bucket into the cache, dropping others above the bound.
    pub(super) fn keep(&mut self, number: u32, rows: Bucket, bytes: usize, cache_bytes: usize) {
        self.forget(number);
        while self.cached_bytes + bytes > cache_bytes {
            let Some(other) = self.cache.keys().next().copied() else { break };
            self.forget(other);
        }
        self.cached_bytes += bytes;
        self.cache.insert(number, (rows, bytes));
    }

    fn forget(&mut self, number: u32) {
        if let Some((_, bytes)) = self.cache.remove(&number) {
            self.cached_bytes -= bytes;
        }
    }

    /// Takes a bucket out of the cache.
    pub(super) fn take(&mut self, number: u32) -> Bucket {
        match self.cache.remove(&number) {
            None => Bucket::new(),
            Some((rows, bytes)) => {
                self.cached_bytes -= bytes;
                rows
            }
        }
    }

    pub(super) async fn scan(
        &mut self,
        state: &dyn StateStore,
        layout: &Layout,
        cache_bytes: usize,
        prefix: &[u8],
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, Bytes)>, Error> {
        let wanted = |key: &RowKey| key.as_bytes().starts_with(prefix) && after.is_none_or(|after| key > after);
        let mut found = Bucket::new();
        for number in 0..self.head.buckets {
            self.fetch(state, layout, cache_bytes, number).await?;
            let Some((rows, _)) = self.cache.get(&number) else { continue };
            let from = after.filter(|after| after.as_bytes() > prefix).map_or(prefix, RowKey::as_bytes);
            for (key, value) in rows.range::<[u8], _>((std::ops::Bound::Included(from), std::ops::Bound::Unbounded)) {
                if !key.as_bytes().starts_with(prefix) {
                    break;
                }
                // A row that a delta changes is counted once, there.
                if wanted(key) && !self.pending.contains_key(key) {
                    found.insert(key.clone(), value.clone());
                    if found.len() > limit {
                        found.pop_last();
                    }
                }
            }
        }
        let pending = self.pending.range::<[u8], _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
        for (key, value) in pending.take_while(|(key, _)| key.as_bytes().starts_with(prefix)) {
            if let Some(value) = value.as_ref().filter(|_| wanted(key)) {
                found.insert(key.clone(), value.clone());
                if found.len() > limit {
                    found.pop_last();
                }
            }
        }
        Ok(found.into_iter().collect())
    }
}

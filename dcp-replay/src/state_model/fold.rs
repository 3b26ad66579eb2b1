//! Folding of deltas into buckets.
//!
//! A crash in between does no harm: as long as the head names the deltas, they lie over the buckets,
//! and what was folded already is the same there.

use std::collections::BTreeMap;

use bytes::Bytes;
use dcp_core::ports::state_store::{VALUE_MAX_BYTES, WRITES_MAX};
use dcp_core::ports::{StateStore, Transaction};
use dcp_core::{Error, Failure};

use super::bucket::{bucket_of, weight};
use super::head::Layout;
use super::loaded::Loaded;
use crate::model::encode;
use crate::row::RowKey;

/// Code of the refusal when a bucket would pass its bound.
pub(super) const MODEL_FULL: &str = "model-full";
/// Most buckets that one transaction rewrites.
const BUCKETS_PER_COMMIT: usize = WRITES_MAX / 2;
/// Bytes of buckets after which a transaction is closed.
const BYTES_PER_COMMIT: usize = 16 << 20;

/// Deltas that one transaction removes.
const DELTAS_PER_FORGET: u64 = 100;

/// Folds every delta, in transactions conditional on the head.
pub(super) async fn fold(
    state: &dyn StateStore,
    layout: &Layout,
    cache_bytes: usize,
    loaded: &mut Loaded,
) -> Result<(), Failure> {
    let mut by_bucket: BTreeMap<u32, Vec<(RowKey, Option<Bytes>)>> = BTreeMap::new();
    for (key, value) in &loaded.pending {
        by_bucket.entry(bucket_of(key, loaded.head.buckets)).or_default().push((key.clone(), value.clone()));
    }
    let mut transaction = loaded.conditional(layout).map_err(Failure::NotApplied)?;
    let mut bytes = 0;
    for (number, changes) in by_bucket {
        transaction = rewrite(state, layout, cache_bytes, loaded, number, changes, transaction, &mut bytes).await?;
        if transaction.writes.len() >= BUCKETS_PER_COMMIT || bytes >= BYTES_PER_COMMIT {
            let next = loaded.conditional(layout).map_err(Failure::NotApplied)?;
            state.commit(std::mem::replace(&mut transaction, next)).await?;
            bytes = 0;
        }
    }
    if !transaction.writes.is_empty() {
        state.commit(transaction).await?;
    }
    forget_deltas(state, layout, loaded).await
}

#[allow(clippy::too_many_arguments)] // One step of the loop above, split off to keep it readable.
async fn rewrite(
    state: &dyn StateStore,
    layout: &Layout,
    cache_bytes: usize,
    loaded: &mut Loaded,
    number: u32,
    changes: Vec<(RowKey, Option<Bytes>)>,
    transaction: Transaction,
    bytes: &mut usize,
) -> Result<Transaction, Failure> {
    loaded.fetch(state, layout, cache_bytes, number).await.map_err(Failure::NotApplied)?;
    let mut rows = loaded.take(number);
    for (key, value) in changes {
        match value {
            Some(value) => rows.insert(key, value),
            None => rows.remove(&key),
        };
    }
    let size: usize = rows.iter().map(|(key, value)| weight(key, Some(value))).sum();
    let value = encode(&rows).map_err(Failure::NotApplied)?;
    if value.len() > VALUE_MAX_BYTES {
        return Err(Failure::NotApplied(Error::refused(
            MODEL_FULL,
            format!(
                "bucket {number} of {} would hold {} bytes, at most {VALUE_MAX_BYTES}: build the model again under \
                 a new prefix with more buckets",
                loaded.head.buckets,
                value.len()
            ),
        )));
    }
    *bytes += value.len();
    loaded.keep(number, rows, size, cache_bytes);
    Ok(transaction.put(layout.bucket(number).map_err(Failure::NotApplied)?, value))
}

/// Moves the head past the deltas and removes them, a bounded number in each transaction.
async fn forget_deltas(state: &dyn StateStore, layout: &Layout, loaded: &mut Loaded) -> Result<(), Failure> {
    while loaded.deltas() > 0 {
        let prepare = || -> Result<_, Error> {
            let mut head = loaded.head.clone();
            head.delta_from = head.delta_next.min(head.delta_from + DELTAS_PER_FORGET);
            let mut transaction = loaded.conditional(layout)?.put(layout.head()?, head.encode()?);
            for number in loaded.head.delta_from..head.delta_from {
                transaction = transaction.delete(layout.delta(number)?);
            }
            Ok((transaction, head))
        };
        let (transaction, head) = prepare().map_err(Failure::NotApplied)?;
        loaded.revision = Some(state.commit(transaction).await?);
        loaded.head = head;
    }
    loaded.pending.clear();
    loaded.pending_bytes = 0;
    Ok(())
}

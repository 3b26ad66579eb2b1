//! Flaws in how a commit is judged.

use async_trait::async_trait;

use super::StateFlaw;
use crate::error::{Error, Failure};
use crate::memory::MemoryStateStore;
use crate::ports::state_store::{Condition, Revision, StateStore as _, Transaction, VALUE_MAX_BYTES, Write};

/// Breaks S3: takes a key that is deleted for one that is still at its revision.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct TakesDeletedForUnchanged;

#[async_trait]
impl StateFlaw for TakesDeletedForUnchanged {
    async fn commit(&self, store: &MemoryStateStore, mut transaction: Transaction) -> Result<Revision, Failure> {
        let mut kept = Vec::new();
        for condition in transaction.conditions {
            let held = match &condition {
                Condition::At(key, _) => store.read(key).await.map_err(Failure::NotApplied)?.is_some(),
                Condition::Absent(_) => true,
            };
            if held {
                kept.push(condition);
            }
        }
        transaction.conditions = kept;
        store.commit(transaction).await
    }
}

/// Breaks S7: checks the conditions first and writes afterwards.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ChecksThenActs;

#[async_trait]
impl StateFlaw for ChecksThenActs {
    async fn commit(&self, store: &MemoryStateStore, mut transaction: Transaction) -> Result<Revision, Failure> {
        transaction.check().map_err(Failure::NotApplied)?;
        for condition in std::mem::take(&mut transaction.conditions) {
            let (key, expected) = match condition {
                Condition::Absent(key) => (key, None),
                Condition::At(key, revision) => (key, Some(revision)),
            };
            let held = store.read(&key).await.map_err(Failure::NotApplied)?;
            if held.map(|entry| entry.revision) != expected {
                return Err(Failure::NotApplied(Error::conflict("state-moved", key.to_string())));
            }
        }
        store.commit(transaction).await
    }
}

/// Breaks S8: cuts a value to the bound where it should refuse it.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct AcceptsLargeValues;

#[async_trait]
impl StateFlaw for AcceptsLargeValues {
    async fn commit(&self, store: &MemoryStateStore, mut transaction: Transaction) -> Result<Revision, Failure> {
        for write in &mut transaction.writes {
            if let Write::Put(_, value) = write {
                value.truncate(VALUE_MAX_BYTES);
            }
        }
        store.commit(transaction).await
    }
}

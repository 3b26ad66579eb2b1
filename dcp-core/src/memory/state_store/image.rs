//! What a state store holds.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use crate::error::Error;
use crate::memory::disk::{Decided, Image};
use crate::ports::state_store::{Condition, Entry, Key, Revision, SCAN_MAX, Transaction, Write};

/// All that is durable.
#[derive(Debug, Clone, Default)]
pub(super) struct StateImage {
    // The revision of the last commit that wrote, whether or not an entry still shows it.
    revision: u64,
    entries: BTreeMap<Key, (Bytes, Revision)>,
}

fn entry(key: &Key, (value, revision): &(Bytes, Revision)) -> Entry {
    Entry { key: key.clone(), value: value.clone(), revision: *revision }
}

impl StateImage {
    pub(super) fn entry(&self, key: &Key) -> Option<Entry> {
        self.entries.get(key).map(|held| entry(key, held))
    }

    pub(super) fn scan(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Vec<Entry> {
        let prefix_key = Key::new(prefix).ok();
        // The empty prefix, which is no key, begins every key; a prefix too long for a key, none.
        let first = match (&prefix_key, after) {
            (None, _) if !prefix.is_empty() => return Vec::new(),
            (Some(first), Some(after)) if after < first => Bound::Included(first),
            (_, Some(after)) => Bound::Excluded(after),
            (Some(first), None) => Bound::Included(first),
            (None, None) => Bound::Unbounded,
        };
        self.entries
            .range((first, Bound::Unbounded))
            .take_while(|(key, _)| key.as_str().starts_with(prefix))
            .take(limit.min(SCAN_MAX))
            .map(|(key, held)| entry(key, held))
            .collect()
    }

    pub(super) fn decide(&self, transaction: Transaction) -> Decided<Self, Revision> {
        for condition in &transaction.conditions {
            self.check(condition)?;
        }
        if transaction.writes.is_empty() {
            return Ok((None, Revision::from_store(self.revision)));
        }
        Ok((Some(transaction.writes), Revision::from_store(self.revision + 1)))
    }

    fn check(&self, condition: &Condition) -> Result<(), Error> {
        let (key, expected) = match condition {
            Condition::Absent(key) => (key, None),
            Condition::At(key, revision) => (key, Some(*revision)),
        };
        let held = self.entries.get(key).map(|(_, revision)| *revision);
        if held == expected {
            return Ok(());
        }
        let shown = |revision: Option<Revision>| revision.map_or_else(|| "absent".to_owned(), |at| format!("at {at}"));
        Err(Error::conflict("state-moved", format!("{key}: {}, expected {}", shown(held), shown(expected))))
    }

    #[cfg(feature = "test-util")]
    pub(super) fn count_revision_from_entries(&mut self) {
        self.revision = self.entries.values().map(|(_, revision)| revision.get()).max().unwrap_or(0);
    }
}

impl Image for StateImage {
    type Change = Vec<Write>;

    fn apply(&mut self, writes: Vec<Write>) {
        self.revision += 1;
        let revision = Revision::from_store(self.revision);
        for write in writes {
            match write {
                Write::Put(key, value) => {
                    self.entries.insert(key, (value, revision));
                }
                Write::Delete(key) => {
                    self.entries.remove(&key);
                }
            }
        }
    }
}

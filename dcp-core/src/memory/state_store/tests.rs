//! The store against a plain map that does one transaction after the other.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::MemoryStateStore;
use crate::error::ErrorKind;
use crate::ports::state_store::{Condition, Key, Revision, StateStore as _, Transaction, Write};

#[derive(Debug, Clone)]
enum Act {
    Commit(Transaction),
    // A commit that a crash cuts off before its sync.
    CutOff(Transaction),
    Crash,
    Scan { prefix: &'static str, after: Option<Key>, limit: usize },
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof!["[ab]", "a/[ab]", "a/[ab]/[ab]"].prop_map(|text| Key::new(text).unwrap())
}

fn transaction() -> impl Strategy<Value = Transaction> {
    let condition = prop_oneof![
        key().prop_map(Condition::Absent),
        (key(), 1_u64..12).prop_map(|(key, at)| Condition::At(key, Revision::from_store(at))),
    ];
    let write = prop_oneof![
        3 => (key(), any::<u8>()).prop_map(|(key, byte)| Write::Put(key, Bytes::from(vec![byte]))),
        1 => key().prop_map(Write::Delete),
    ];
    (proptest::collection::vec(condition, 0..2), proptest::collection::vec(write, 0..4)).prop_map(
        |(conditions, writes)| {
            let mut transaction = Transaction::new();
            transaction.conditions = conditions;
            transaction.writes = writes;
            transaction
        },
    )
}

fn act() -> impl Strategy<Value = Act> {
    let prefix = prop_oneof![Just(""), Just("a"), Just("a/"), Just("a/b"), Just("c")];
    prop_oneof![
        6 => transaction().prop_map(Act::Commit),
        1 => transaction().prop_map(Act::CutOff),
        1 => Just(Act::Crash),
        2 => (prefix, proptest::option::of(key()), 0_usize..6)
            .prop_map(|(prefix, after, limit)| Act::Scan { prefix, after, limit }),
    ]
}

#[derive(Debug, Default)]
struct Model {
    revision: u64,
    entries: BTreeMap<String, (Bytes, u64)>,
}

impl Model {
    fn holds(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Absent(key) => !self.entries.contains_key(key.as_str()),
            Condition::At(key, at) => self.entries.get(key.as_str()).is_some_and(|(_, held)| *held == at.get()),
        }
    }

    fn commit(&mut self, transaction: &Transaction) -> Option<u64> {
        if !transaction.conditions.iter().all(|condition| self.holds(condition)) {
            return None;
        }
        if !transaction.writes.is_empty() {
            self.revision += 1;
        }
        for write in &transaction.writes {
            match write {
                Write::Put(key, value) => {
                    self.entries.insert(key.as_str().to_owned(), (value.clone(), self.revision));
                }
                Write::Delete(key) => {
                    self.entries.remove(key.as_str());
                }
            }
        }
        Some(self.revision)
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<(String, Bytes, u64)> {
        let found = self
            .entries
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after));
        found.take(limit).map(|(key, (value, at))| (key.clone(), value.clone(), *at)).collect()
    }
}

async fn scanned(
    store: &MemoryStateStore,
    prefix: &str,
    after: Option<&Key>,
    limit: usize,
) -> Vec<(String, Bytes, u64)> {
    let entries = store.scan(prefix, after, limit).await.unwrap();
    entries.into_iter().map(|entry| (entry.key.to_string(), entry.value, entry.revision.get())).collect()
}

async fn perform(store: &MemoryStateStore, model: &mut Model, act: Act) -> Result<(), TestCaseError> {
    match act {
        Act::Commit(transaction) => match (store.commit(transaction.clone()).await, model.commit(&transaction)) {
            (Ok(revision), expected) => prop_assert_eq!(Some(revision.get()), expected),
            (Err(failure), expected) => {
                prop_assert_eq!(expected, None);
                prop_assert_eq!(failure.not_applied().map(crate::Error::kind), Some(ErrorKind::Conflict));
            }
        },
        Act::CutOff(transaction) => {
            let hold = store.hold_sync();
            let staged =
                !transaction.writes.is_empty() && transaction.conditions.iter().all(|condition| model.holds(condition));
            let answer = tokio::join!(biased; store.commit(transaction), async {
                if staged {
                    hold.write_waits().await;
                }
                store.crash();
            });
            store.reopen();
            prop_assert_eq!(answer.0.as_ref().is_err_and(crate::Failure::is_in_doubt), staged);
        }
        Act::Crash => {
            store.crash();
            store.reopen();
        }
        Act::Scan { prefix, after, limit } => {
            let expected = model.scan(prefix, after.as_ref().map(Key::as_str), limit);
            prop_assert_eq!(scanned(store, prefix, after.as_ref(), limit).await, expected);
        }
    }
    prop_assert_eq!(scanned(store, "", None, 100).await, model.scan("", None, 100));
    Ok(())
}

proptest! {
    #[test]
    fn it_does_what_a_map_does(acts in proptest::collection::vec(act(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (store, mut model) = (MemoryStateStore::new(), Model::default());
            for act in acts {
                perform(&store, &mut model, act).await?;
            }
            Ok::<(), TestCaseError>(())
        })?;
    }
}

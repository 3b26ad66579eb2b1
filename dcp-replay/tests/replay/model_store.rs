//! The packed model store, clause by clause, and against a plain map.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use dcp_core::Failure;
use dcp_core::error::ErrorKind;
use dcp_core::memory::MemoryStateStore;
use dcp_core::ports::StateStore;
use dcp_replay::{Changes, ModelStore, RowKey, StateModelStore};
use proptest::prelude::*;

use crate::unreliable::{Fault, Unreliable};

fn open(state: &Arc<Unreliable>, buckets: u32) -> StateModelStore {
    let state: Arc<dyn StateStore> = state.clone();
    StateModelStore::new(state, "m").unwrap().with_buckets(buckets).with_cache_bytes(2_000)
}

fn change(key: &str, value: Option<&str>) -> (RowKey, Option<Bytes>) {
    (RowKey::new(key.to_owned()), value.map(|value| Bytes::from(value.to_owned())))
}

fn kind(failure: &Failure) -> Option<ErrorKind> {
    failure.not_applied().map(dcp_core::Error::kind)
}

#[tokio::test]
async fn k1_an_answered_commit_survives_and_is_whole() {
    let memory = MemoryStateStore::new();
    let state = Unreliable::new(memory.clone());
    let store = open(&state, 4);
    let claimed = store.claim().await.unwrap();
    let changes: Changes = (0..3_000).map(|n| change(&format!("k{n}"), Some("v"))).collect();
    store.commit(claimed, changes).await.unwrap();
    memory.crash();
    memory.reopen();
    let rows = open(&state, 4).scan(b"k", None, 10_000).await.unwrap();
    assert_eq!(rows.len(), 3_000);
}

#[tokio::test]
async fn k2_and_k3_a_claim_fences_every_earlier_commit() {
    let state = Unreliable::new(MemoryStateStore::new());
    let (old, new) = (open(&state, 4), open(&state, 4));
    let first = old.claim().await.unwrap();
    state.next_commits([Fault::DoubtNotDone]);
    assert!(old.commit(first, Changes::from([change("late", Some("x"))])).await.unwrap_err().is_in_doubt());
    let second = new.claim().await.unwrap();
    assert_eq!(state.land_held().await, 0);
    let refused = old.commit(first, Changes::from([change("late", Some("x"))])).await.unwrap_err();
    assert_eq!(kind(&refused), Some(ErrorKind::Conflict));
    assert!(new.scan(b"", None, 10).await.unwrap().is_empty());
    let third = new.commit(second, Changes::from([change("a", Some("1"))])).await.unwrap();
    assert!(third > second);
}

#[tokio::test]
async fn a_large_commit_takes_few_writes_and_beyond_the_bound_is_refused() {
    let state = Unreliable::new(MemoryStateStore::new());
    let store = open(&state, 64);
    let claimed = store.claim().await.unwrap();
    let value = "x".repeat(1_000);
    let rows = |count: u32| (0..count).map(|n| change(&format!("k{n}"), Some(&value))).collect::<Changes>();
    let refused = store.commit(claimed, rows(30_000)).await.unwrap_err();
    assert_eq!(kind(&refused), Some(ErrorKind::Invalid));
    store.commit(claimed, rows(8_000)).await.unwrap();
    assert_eq!(store.scan(b"", None, 10_000).await.unwrap().len(), 8_000);
}

#[tokio::test]
async fn a_full_model_refuses_the_next_commit_and_loses_nothing() {
    let state = Unreliable::new(MemoryStateStore::new());
    let store = open(&state, 1);
    let mut revision = store.claim().await.unwrap();
    let value = "x".repeat(200_000);
    let mut accepted = 0;
    let refused = loop {
        match store.commit(revision, Changes::from([change(&format!("k{accepted:04}"), Some(&value))])).await {
            Ok(next) => revision = next,
            Err(failure) => break failure,
        }
        accepted += 1;
    };
    assert_eq!(kind(&refused), Some(ErrorKind::Refused));
    assert_eq!(open(&state, 1).scan(b"k", None, 10_000).await.unwrap().len(), accepted);
}

#[derive(Debug, Clone)]
enum Action {
    Commit(Vec<(u8, Option<u8>)>),
    Reopen,
    Fault(u8),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => prop::collection::vec((any::<u8>(), any::<Option<u8>>()), 0..8).prop_map(Action::Commit),
        1 => Just(Action::Reopen),
        1 => (0_u8..3).prop_map(Action::Fault),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// With folds after every 64 commits, faults in any of their transactions, and reopening.
    #[test]
    fn packed_rows_equal_a_plain_map(actions in prop::collection::vec(action(), 1..300)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let state = Unreliable::new(MemoryStateStore::new());
            let mut store = open(&state, 3);
            let mut revision = store.claim().await.unwrap();
            let mut plain: BTreeMap<RowKey, Bytes> = BTreeMap::new();
            for action in actions {
                match action {
                    Action::Reopen => {
                        state.heal();
                        store = open(&state, 3);
                        revision = store.claim().await.unwrap();
                    }
                    Action::Fault(fault) => {
                        let fault = [Fault::Refused, Fault::DoubtDone, Fault::DoubtNotDone][usize::from(fault)];
                        state.next_commits([Fault::None, fault]);
                    }
                    Action::Commit(rows) => {
                        let rows = rows.into_iter().map(|(key, value)| {
                            change(&format!("k{key}"), value.map(|value| value.to_string()).as_deref())
                        });
                        let changes: Changes = rows.collect();
                        match store.commit(revision, changes.clone()).await {
                            Ok(next) => revision = next,
                            Err(_) => {
                                state.heal();
                                let next = store.claim().await.unwrap();
                                state.land_held().await;
                                // Committed exactly if the sequence moved by more than the claim.
                                let done = next.get() > revision.get() + 1;
                                revision = next;
                                if !done {
                                    continue;
                                }
                            }
                        }
                        for (key, value) in changes {
                            match value {
                                Some(value) => plain.insert(key, value),
                                None => plain.remove(&key),
                            };
                        }
                    }
                }
            }
            let rows = store.scan(b"k", None, 1_000).await.unwrap();
            assert_eq!(rows, plain.clone().into_iter().collect::<Vec<_>>());
            let after = RowKey::new("k2".to_owned());
            let page = store.scan(b"k", Some(&after), 5).await.unwrap();
            let expected: Vec<_> = plain.clone().into_iter().filter(|(key, _)| *key > after).take(5).collect();
            assert_eq!(page, expected);
            let keys: Vec<_> = (0..=255).map(|key| RowKey::new(format!("k{key}"))).collect();
            let values = store.read(&keys).await.unwrap();
            let expected: Vec<_> = keys.iter().map(|key| plain.get(key).cloned()).collect();
            assert_eq!(values, expected);
        });
    }
}

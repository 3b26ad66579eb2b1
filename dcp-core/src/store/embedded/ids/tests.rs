use std::collections::BTreeMap;

use proptest::prelude::*;
use redb::backends::InMemoryBackend;
use redb::{Builder, Database};

use super::super::tables::{LogRow, RUNS};
use super::{BLOCK_ENTRIES, FANOUT, add, candidates, entry, fingerprint};
use crate::event::EventId;
use crate::fence::Fence;
use crate::position::PrefixDigest;

fn row() -> LogRow {
    LogRow { number: 5, prefix: PrefixDigest::EMPTY, fence: Fence::unset(), next_run: 0, runs: Vec::new() }
}

fn database() -> Database {
    Builder::new().create_with_backend(InMemoryBackend::new()).unwrap()
}

/// An id with this fingerprint; several have the same.
fn id(fingerprint: u64, which: u64) -> EventId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&which.to_be_bytes());
    bytes[8..].copy_from_slice(&(fingerprint ^ which).to_be_bytes());
    EventId::from_bytes(bytes)
}

/// Adds batches and looks every fingerprint of a range up.
fn check(batches: &[Vec<u64>]) -> LogRow {
    let database = database();
    let transaction = database.begin_write().unwrap();
    let mut runs = transaction.open_table(RUNS).unwrap();
    let mut row = row();
    let mut expected: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut ordinal = 0;
    for batch in batches {
        let mut entries = Vec::new();
        for (which, wanted) in (0..).zip(batch) {
            ordinal += 1;
            let id = id(*wanted, which);
            assert_eq!(fingerprint(&id), *wanted);
            entries.push(entry(&id, ordinal));
            expected.entry(*wanted).or_default().push(u64::from(ordinal));
        }
        add(&mut runs, &mut row, entries).unwrap();
    }
    let all: Vec<u64> = (1..=u64::from(ordinal)).collect();
    let wanted: Vec<u64> = expected.keys().copied().collect();
    assert_eq!(candidates(&runs, &row, &wanted).unwrap(), all);
    for (wanted, ordinals) in &expected {
        assert_eq!(&candidates(&runs, &row, &[*wanted]).unwrap(), ordinals);
        let beside: Vec<u64> = [wanted.wrapping_sub(1), wanted.wrapping_add(1)]
            .into_iter()
            .filter(|beside| !expected.contains_key(beside))
            .collect();
        assert!(candidates(&runs, &row, &beside).unwrap().is_empty());
    }
    row
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_id_is_found_and_no_other(batches in prop::collection::vec(prop::collection::vec(0_u64..500, 1..40), 1..40)) {
        check(&batches);
    }
}

#[test]
fn runs_are_merged_by_levels_and_stay_few() {
    let batches: Vec<Vec<u64>> =
        (0..600).map(|batch| (0..30).map(|n| (batch * 30 + n) * 7_919 % 1_000_003).collect()).collect();
    let row = check(&batches);
    assert_eq!(row.runs.iter().map(|run| run.entries).sum::<u32>(), 18_000);
    assert!(row.runs.len() < 3 * FANOUT, "{} runs", row.runs.len());
}

#[test]
fn equal_fingerprints_are_never_split() {
    let mut batch: Vec<u64> = (0..BLOCK_ENTRIES as u64 - 10).collect();
    batch.extend(std::iter::repeat_n(5_000, 40));
    batch.extend(6_000..6_100);
    batch.extend(std::iter::repeat_n(7_000, 2 * BLOCK_ENTRIES));
    check(&[batch, vec![5_000, 7_000]]);
}

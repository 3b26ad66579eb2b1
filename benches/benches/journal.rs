//! Durable appends to the journal: each waits for its commit, as a driver does.

#![allow(missing_docs, clippy::expect_used)] // Criterion's macros make undocumented items.

use std::sync::Arc;

use benches::runtime;
use criterion::{Criterion, criterion_group, criterion_main};
use dcp_core::clock::TokioClock;
use dcp_core::fence::Term;
use dcp_core::ids::KeyId;
use dcp_core::ports::Facts;
use dcp_core::runbook::{Journal, JournalEntry};
use dcp_core::signed::Signer;
use dcp_core::state::embedded::{EmbeddedStateSettings, EmbeddedStateStore};
use dcp_core::testing::fixtures::{holder, west};

fn journal(criterion: &mut Criterion) {
    let runtime = runtime();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = EmbeddedStateSettings::new(folder.path().join("state.redb"), west());
    let store = Arc::new(EmbeddedStateStore::open(&settings).expect("a fresh store"));
    let signer = Arc::new(Signer::new(KeyId::new("west-1").expect("a legal name"), &[1; 32]));
    let term = Term { issuer: west(), holder: holder("west-1"), revision: 1 };
    let (journal, lease) = runtime.block_on(async {
        let journal = Journal::open(Arc::clone(&store) as _, Arc::new(TokioClock::new())).await.expect("empty");
        let lease = journal.take(term, signer).await.expect("nobody else drives");
        (journal, lease)
    });
    let note = JournalEntry::Note { name: "measured".to_owned(), facts: Facts::new() };
    let mut group = criterion.benchmark_group("journal");
    group.sample_size(10);
    group.bench_function("append, embedded state store", |bencher| {
        bencher.iter(|| runtime.block_on(journal.append(&lease, note.clone())).expect("the driver's own journal"));
    });
    group.finish();
    runtime.block_on(store.close());
}

criterion_group!(benches, journal);
criterion_main!(benches);

//! What a run has on disk while nothing runs, and what of it must never change.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use dcp_core::clock::SystemClock;
use dcp_core::ids::RegionId;
use dcp_core::ports::{StateStore, Witness};
use dcp_core::runbook::Journal;
use dcp_core::state::embedded::{EmbeddedStateSettings, EmbeddedStateStore};
use dcp_fencing::StateStoreWitness;
use examples::drill::data;
use examples::foundation::{Foundation, once_free};
use examples::orders::{Home, ReadModels, expected};
use examples::verdict::{Judgement, Verdict};
use serde_json::Value;

use super::drill::LINES;

/// What both regions must hold after every drill, from the order lines alone.
pub(super) static EXPECTED: LazyLock<ReadModels> = LazyLock::new(|| {
    let orders = data::load(None, Some(LINES)).unwrap();
    expected(orders.iter()).unwrap()
});

/// What is on disk at one moment.
#[derive(Debug)]
pub(super) struct Evidence {
    run: String,
    journals: BTreeMap<String, Vec<String>>,
    acks: BTreeMap<String, Vec<String>>,
    epochs: BTreeMap<String, u64>,
}

impl Evidence {
    /// Reads a folder in which nothing runs.
    pub(super) fn of(out: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let run = record(out)["run"].as_str().unwrap().to_owned();
        let (journals, acks, epochs) = (BTreeMap::new(), BTreeMap::new(), runtime.block_on(epochs(out)));
        let mut evidence = Self { run, journals, acks, epochs };
        for home in Home::ALL {
            let region = home.region().to_owned();
            evidence.journals.insert(region.clone(), runtime.block_on(journal(out, home)));
            evidence.acks.insert(region.clone(), whole_lines(&out.join("acks").join(format!("{region}.jsonl"))));
        }
        evidence
    }

    /// Entries of all journals.
    pub(super) fn entries(&self) -> usize {
        self.journals.values().map(Vec::len).sum()
    }

    /// Fails unless `later` is of the same run and only adds to this.
    #[track_caller]
    pub(super) fn lives_on_in(&self, later: &Self) {
        assert_eq!(self.run, later.run, "another run");
        for (region, lines) in &self.journals {
            assert!(later.journals[region].starts_with(lines), "{region}: the old journal is no prefix of the new one");
        }
        for (region, lines) in &self.acks {
            assert!(later.acks[region].starts_with(lines), "{region}: acknowledged positions have changed");
        }
        for (slice, epoch) in &self.epochs {
            assert!(later.epochs[slice] >= *epoch, "{slice}: the epoch has fallen");
        }
    }

    /// Fails unless each slice was taken over once and moved home once, and no more: a takeover
    /// that was finished before a crash did not raise the epoch again.
    #[track_caller]
    pub(super) fn moved_there_and_back_once(&self) {
        for (slice, epoch) in &self.epochs {
            let expected = if slice.starts_with(Home::West.scope_id().as_str()) { 3 } else { 1 };
            assert_eq!(*epoch, expected, "epoch of {slice}");
        }
        assert_eq!(self.epochs.len(), 8);
    }
}

/// Fails unless the run in the folder has passed, with the models of the order lines.
#[track_caller]
pub(super) fn has_passed(out: &Path) -> Verdict {
    let verdict: Verdict = serde_json::from_slice(&std::fs::read(out.join("verdict.json")).unwrap()).unwrap();
    assert_eq!(verdict.verdict, Judgement::Passed);
    assert_eq!(verdict.read_models.len(), 2);
    for (region, models) in &verdict.read_models {
        assert_eq!(*models, *EXPECTED, "read models of {region}");
    }
    verdict
}

/// The drill's own record.
pub(super) fn record(out: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(out.join("drill.json")).unwrap()).unwrap()
}

async fn state(path: &Path, region: &RegionId) -> Option<Arc<EmbeddedStateStore>> {
    let settings = EmbeddedStateSettings::new(path.to_owned(), region.clone());
    // What was killed before it had a store has none.
    if !path.exists() {
        return None;
    }
    let opened = once_free(&SystemClock::new(), || EmbeddedStateStore::open(&settings)).await;
    Some(Arc::new(opened.unwrap()))
}

async fn journal(out: &Path, home: Home) -> Vec<String> {
    let region = home.region_id();
    let path = Foundation::at(out).region_folder(&region).join("state.redb");
    let Some(store) = state(&path, &region).await else { return Vec::new() };
    let opened = Journal::open(Arc::clone(&store) as Arc<dyn StateStore>, Arc::new(SystemClock::new())).await.unwrap();
    let lines = opened.export().await.unwrap();
    store.close().await;
    lines.iter().map(dcp_core::runbook::ExportLine::to_json).collect()
}

async fn epochs(out: &Path) -> BTreeMap<String, u64> {
    let foundation = Foundation::at(out);
    let path = foundation.witness_folder().join("state.redb");
    let Some(store) = state(&path, &RegionId::new("witness").unwrap()).await else { return BTreeMap::new() };
    let treaty = foundation.treaty().unwrap();
    let witness = StateStoreWitness::new(Arc::clone(&store) as Arc<dyn StateStore>, Arc::clone(&treaty));
    let mut epochs = BTreeMap::new();
    for slice in treaty.slices() {
        if let Some(head) = witness.ownership(&slice).await.unwrap() {
            epochs.insert(slice.to_string(), head.epoch.get());
        }
    }
    store.close().await;
    epochs
}

// A line that a kill tore is none.
fn whole_lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(str::to_owned).collect()
}

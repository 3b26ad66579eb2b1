use dcp_core::clock::{Clock, SeededEntropy};
use dcp_core::fence::Term;
use dcp_core::ids::HolderId;
use dcp_core::ports::Facts;
use dcp_core::runbook::JournalEntry;
use dcp_core::state::embedded::{EmbeddedStateSettings, EmbeddedStateStore};

use super::*;
use crate::orders::Home;

/// A run's folder in which each region has a journal of some notes.
async fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let foundation = Foundation::at(folder.path());
    foundation.create(std::time::Duration::from_secs(5), &SeededEntropy::new(1, "keys")).unwrap();
    for home in Home::ALL {
        let region = home.region_id();
        let path = foundation.region_folder(&region).join("state.redb");
        let store = Arc::new(EmbeddedStateStore::open(&EmbeddedStateSettings::new(path, region.clone())).unwrap());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let journal = Journal::open(Arc::clone(&store) as Arc<dyn StateStore>, clock).await.unwrap();
        let term = Term { issuer: region.clone(), holder: HolderId::new("plane").unwrap(), revision: 1 };
        let lease = journal.take(term, foundation.signer(&region).unwrap()).await.unwrap();
        for name in ["one", "two"] {
            journal.append(&lease, JournalEntry::Note { name: name.into(), facts: Facts::new() }).await.unwrap();
        }
        store.close().await;
    }
    folder
}

#[tokio::test]
async fn an_export_is_verified_and_equals_the_store() {
    let folder = folder().await;
    let summaries = export(folder.path()).await.unwrap();
    assert!(summaries.values().all(|summary| summary.end.sequence == 3));
    assert_eq!(compare(folder.path()).await.unwrap(), summaries);
    assert_eq!(exported(folder.path(), &Home::West.region_id()).unwrap().len(), 3);
}

#[tokio::test]
async fn each_difference_is_named_by_its_sequence() {
    let folder = folder().await;
    export(folder.path()).await.unwrap();
    let path = journal_path(folder.path(), &Home::Central.region_id());
    let good = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    for (spoiled, sequence) in [
        (lines[..2].join("\n"), 3),
        (good.replace("two", "six"), 3),
        ([lines[1], lines[0], lines[2]].join("\n"), 1),
        (format!("{good}{}\n", lines[2]), 4),
    ] {
        fs::write(&path, spoiled).unwrap();
        let error = compare(folder.path()).await.unwrap_err();
        assert_eq!(error.code(), "journal-differs");
        assert!(error.message().starts_with(&format!("eu-central-1: journal entry {sequence}: ")), "{error}");
    }
}

#[test]
fn a_torn_line_is_corrupt_with_its_number() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "1\n2").unwrap();
    let mut seen = Vec::new();
    let error = each_line(file.path(), |number: u64| {
        seen.push(number);
        Ok(())
    });
    assert!(error.unwrap_err().message().contains(":2: "));
    assert_eq!(seen, [1]);
}

#[test]
fn lines_that_a_stale_writer_has_in_doubt_are_named_as_producers_name_theirs() {
    let folder = tempfile::tempdir().unwrap();
    stale_doubts(folder.path(), &[7].into()).unwrap();
    let path = folder.path().join("acks").join("stale.in_doubt.jsonl");
    let mut doubts = Vec::new();
    each_line(&path, |doubt: serde_json::Value| {
        doubts.push(doubt);
        Ok(())
    })
    .unwrap();
    assert_eq!(doubts, [serde_json::json!({ "id": event_id(7), "line": 7 })]);
}

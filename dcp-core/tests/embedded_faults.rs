//! Full disks, failing disks, damaged files, files that belong to others.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A test stops at what it did not expect.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dcp_core::clock::{Entropy as _, SeededEntropy};
use dcp_core::embedded::GroupCommit;
use dcp_core::event::{EventId, NewEvent, StreamId};
use dcp_core::ids::{LinkId, RegionId};
use dcp_core::ports::event_store::{EventSourceExt as _, EventWriter, OwnerBatch};
use dcp_core::ports::{EventSource as _, EventStore as _, Key, ReadFrom, StateStore as _, Transaction, WriterRole};
use dcp_core::state::embedded::{EmbeddedStateSettings, EmbeddedStateStore};
use dcp_core::store::embedded::{EmbeddedEventSettings, EmbeddedEventStore};
use dcp_core::testing::disk::TestDisk;
use dcp_core::testing::fixtures::{TwoRegions, east, event, orders, partition_log, slice_b, west};
use dcp_core::{ErrorKind, Failure};

fn settings(path: &Path) -> EmbeddedEventSettings {
    EmbeddedEventSettings::new(path, west(), Arc::new(SeededEntropy::new(7, "incarnation"))).with_cache_bytes(1 << 20)
}

#[allow(clippy::disallowed_methods)] // Every handle is awaited by the test that started it.
fn start<F>(task: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(task)
}

async fn owner(store: &EmbeddedEventStore, partition: u32) -> Arc<dyn EventWriter> {
    let grant = TwoRegions::new().grant(&slice_b(&orders()), &west(), 1);
    let logs = [partition_log(&west(), partition)];
    Arc::from(store.open_writer(&logs, WriterRole::Owner(grant)).await.unwrap())
}

/// A batch whose payloads do not compress and whose ids do not repeat.
fn batch(number: u64, events: u64, bytes: usize) -> OwnerBatch {
    let noise = SeededEntropy::new(number, "payload");
    let event = |_| {
        let payload: Vec<u8> = std::iter::repeat_with(|| noise.draw()).flatten().take(bytes).collect();
        let mut id = [0; 16];
        id.copy_from_slice(&noise.draw()[..16]);
        NewEvent::new(EventId::from_bytes(id), StreamId::new("stream-0"), "noise", Bytes::from(payload))
    };
    OwnerBatch::new(partition_log(&west(), 1), (0..events).map(event).collect())
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let disk = TestDisk::new();
    let group = GroupCommit::default().committing(2, 1 << 20);
    let settings = settings(Path::new("unused")).with_group(group);
    let store = EmbeddedEventStore::open_on(&settings, disk.mount()).unwrap();
    let writer = owner(&store, 1).await;
    disk.limit(Some(disk.used() + (2 << 20)));
    let mut acknowledged = 0;
    let (mut in_doubt, mut not_applied) = (0, 0);
    // Eight at a time, so that some are in the failing group and some wait behind it.
    'filling: for round in 0_u64.. {
        let waves = (0..8).map(|number| {
            let writer = Arc::clone(&writer);
            start(async move { writer.append(batch(round * 8 + number, 20, 1_000)).await })
        });
        for answered in waves.collect::<Vec<_>>() {
            match answered.await.unwrap() {
                Ok(appended) => acknowledged += appended.acks.len() as u64,
                Err(Failure::InDoubt(_)) => in_doubt += 1,
                Err(Failure::NotApplied(error)) => {
                    assert!(matches!(error.kind(), ErrorKind::Retry | ErrorKind::Stopped), "{error}");
                    not_applied += 1;
                }
            }
        }
        if in_doubt + not_applied > 0 {
            break 'filling;
        }
    }
    assert!(acknowledged > 0 && in_doubt + not_applied == 8 - acknowledged / 20 % 8, "{in_doubt} {not_applied}");

    let refused = writer.append(batch(9_999, 1, 10)).await.unwrap_err();
    let stopped = refused.not_applied().unwrap();
    assert_eq!((stopped.kind(), stopped.code()), (ErrorKind::Stopped, "store-poisoned"));
    assert!(stopped.message().contains("free space and open the store again"), "{stopped}");
    assert_eq!(store.identity().await.unwrap_err().kind(), ErrorKind::Stopped);
    drop((writer, store));

    disk.limit(None);
    let store = EmbeddedEventStore::open_on(&settings, disk.mount()).unwrap();
    let held = store.end(&partition_log(&west(), 1)).await.unwrap().prefix.count;
    assert!(held >= acknowledged && held <= acknowledged + in_doubt * 20, "{held} held, {acknowledged} acknowledged");
    owner(&store, 1).await.append(batch(9_999, 1, 10)).await.unwrap();
}

/// What became of an append whose disk fails after so many syncs, and how many records a new opening
/// finds after a power failure.
async fn failing_after(syncs: u64) -> (Result<(), Failure>, u64) {
    let disk = TestDisk::new();
    let settings = settings(Path::new("unused"));
    let store = EmbeddedEventStore::open_on(&settings, disk.mount()).unwrap();
    let writer = owner(&store, 1).await;
    let log = partition_log(&west(), 1);
    let mut reader = store.open_reader(&log, ReadFrom::Start).await.unwrap();
    let waiting = start(async move { reader.next(10, Duration::from_secs(30)).await });
    tokio::task::yield_now().await;
    disk.fail_syncs_after(Some(syncs));
    let answer = writer.append(OwnerBatch::new(log.clone(), vec![event(1)])).await.map(drop);
    if answer.is_err() {
        // A waiting reader is told at once, not at the end of its wait.
        assert_eq!(waiting.await.unwrap().unwrap_err().kind(), ErrorKind::Stopped);
        // Reading must not deny what a new opening may find.
        assert_eq!(store.end(&log).await.unwrap_err().kind(), ErrorKind::Stopped);
    } else {
        assert_eq!(waiting.await.unwrap().unwrap().len(), 1);
    }
    drop((writer, store));
    disk.fail_syncs_after(None);
    disk.cut_power(syncs);
    let store = EmbeddedEventStore::open_on(&settings, disk.mount()).unwrap();
    let held = store.end(&log).await.unwrap().prefix.count;
    let again = owner(&store, 1).await.append(OwnerBatch::new(log.clone(), vec![event(1)])).await.unwrap();
    assert_eq!(again.prefix.count, 1);
    (answer, held)
}

#[tokio::test]
async fn a_failed_sync_is_in_doubt_only_where_it_is() {
    let (mut in_doubt, mut not_applied, mut applied) = (0, 0, 0);
    for syncs in 0..8 {
        match failing_after(syncs).await {
            (Ok(()), held) => {
                assert_eq!(held, 1, "acknowledged and lost");
                applied += 1;
            }
            (Err(Failure::NotApplied(error)), held) => {
                assert_eq!((error.kind(), held), (ErrorKind::Retry, 0), "{error}");
                not_applied += 1;
            }
            (Err(Failure::InDoubt(_)), _) => in_doubt += 1,
        }
    }
    assert!(in_doubt > 0 && not_applied > 0 && applied > 0, "{in_doubt} {not_applied} {applied}");
}

/// A power failure at any sync keeps a whole prefix of
/// the batches, the acknowledged among them.
#[tokio::test]
async fn power_failures_at_any_sync_keep_whole_batches() {
    let (mut lost, mut kept_in_doubt) = (0, 0);
    for seed in 0..40_u64 {
        let disk = TestDisk::new();
        let settings = settings(Path::new("unused"))
            .with_group(GroupCommit::default().committing([1, 2, 3, 4][usize::try_from(seed % 4).unwrap()], 1 << 20));
        let store = EmbeddedEventStore::open_on(&settings, disk.mount()).unwrap();
        let writer = owner(&store, 1).await;
        disk.fail_syncs_after(Some(seed % 13));
        let appends: Vec<_> = (0..12_u64)
            .map(|number| {
                let writer = Arc::clone(&writer);
                start(
                    async move { writer.append(batch(number, 20, 200 + 40 * usize::try_from(number).unwrap())).await },
                )
            })
            .collect();
        let (mut acknowledged, mut in_doubt) = (0, 0);
        for append in appends {
            match append.await.unwrap() {
                Ok(_) => acknowledged += 1,
                Err(Failure::InDoubt(_)) => in_doubt += 1,
                Err(Failure::NotApplied(_)) => {}
            }
        }
        disk.cut_power(seed);
        drop((writer, store));
        disk.fail_syncs_after(None);
        let store = EmbeddedEventStore::open_on(&settings, disk.mount()).unwrap();
        let log = partition_log(&west(), 1);
        let mut reader = store.open_reader(&log, ReadFrom::Start).await.unwrap();
        let mut read = 0;
        loop {
            let records = reader.next(7, Duration::ZERO).await.unwrap();
            if records.is_empty() {
                break;
            }
            read += records.len();
        }
        assert_eq!(read % 20, 0, "seed {seed}: {read} records are no whole batches");
        let batches = read / 20;
        assert!(batches >= acknowledged && batches <= acknowledged + in_doubt, "seed {seed}: {batches} batches");
        kept_in_doubt += usize::from(batches > acknowledged);
        lost += usize::from(batches < 12);
    }
    assert!(lost > 0 && kept_in_doubt > 0, "{lost} runs lost something, {kept_in_doubt} kept what was in doubt");
}

#[tokio::test]
async fn a_state_store_on_a_full_disk_stops_and_keeps_what_it_answered() {
    let disk = TestDisk::new();
    let settings = EmbeddedStateSettings::new("unused", west()).with_cache_bytes(1 << 20);
    let store = EmbeddedStateStore::open_on(&settings, disk.mount()).unwrap();
    disk.limit(Some(disk.used() + (1 << 20)));
    let key = |number: u32| Key::new(format!("key/{number:06}")).unwrap();
    let mut answered = 0;
    let failure = loop {
        let noise: Vec<u8> = batch(u64::from(answered), 1, 50_000).events[0].payload.to_vec();
        match store.commit(Transaction::new().put(key(answered), noise)).await {
            Ok(_) => answered += 1,
            Err(failure) => break failure,
        }
    };
    assert!(answered > 3, "{answered} commits fitted");
    assert!(failure.is_in_doubt() || failure.not_applied().unwrap().kind() == ErrorKind::Retry, "{failure}");
    assert_eq!(store.read(&key(0)).await.unwrap_err().kind(), ErrorKind::Stopped);
    drop(store);
    disk.limit(None);
    let store = EmbeddedStateStore::open_on(&settings, disk.mount()).unwrap();
    let found = store.scan("key/", None, 1_000).await.unwrap();
    let entries = u32::try_from(found.len()).unwrap();
    assert!(entries == answered || entries == answered + 1 && failure.is_in_doubt(), "{entries}, {answered} answered");
    let next = store.commit(Transaction::new().put(key(999_999), Bytes::new())).await.unwrap();
    assert!(found.iter().all(|entry| entry.revision < next));
}

#[tokio::test]
async fn a_file_that_is_open_is_refused_and_free_after_closing() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(&directory.path().join("events"));
    let store = EmbeddedEventStore::open(&settings).unwrap();
    let identity = store.identity().await.unwrap();
    let writer = owner(&store, 1).await;
    let refused = EmbeddedEventStore::open(&settings).unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Refused, "in-use"));
    assert!(refused.message().contains("events") && refused.message().contains("stop it first"), "{refused}");
    store.close().await;
    let closed = writer.append(OwnerBatch::new(partition_log(&west(), 1), vec![event(1)])).await.unwrap_err();
    assert_eq!(closed.not_applied().unwrap().kind(), ErrorKind::Stopped);
    assert_eq!(store.identity().await.unwrap_err().kind(), ErrorKind::Stopped);
    // The closed handle is still there, and the file is free.
    let again = EmbeddedEventStore::open(&settings).unwrap();
    assert_eq!(again.identity().await.unwrap().incarnation, identity.incarnation);
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["events"]);
}

#[tokio::test]
async fn a_file_of_another_region_or_kind_is_invalid() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    drop(EmbeddedEventStore::open(&settings(&path)).unwrap());
    let mut other = settings(&path);
    other.region = east();
    let refused = EmbeddedEventStore::open(&other).unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Invalid, "other-region"));
    let refused = EmbeddedStateStore::open(&EmbeddedStateSettings::new(&path, west())).unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Invalid, "other-content"));
    let nowhere = settings(&directory.path().join("missing").join("store"));
    assert_eq!(EmbeddedEventStore::open(&nowhere).unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_damaged_file_is_corrupt_and_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events");
    let store = EmbeddedEventStore::open(&settings(&path)).unwrap();
    let writer = owner(&store, 1).await;
    for number in 0..20 {
        writer.append(batch(number, 20, 1_000)).await.unwrap();
    }
    drop((writer, store));
    let whole = fs::read(&path).unwrap();
    let quarter = whole.len() / 4;
    let mut other_mark = whole.clone();
    other_mark[..9].copy_from_slice(b"something");
    let mut header = whole.clone();
    header[9..320].fill(0xA5);
    let mut pages = whole.clone();
    pages[4_096..].fill(0xA5);
    // A beginning that was lost is no reason to begin anew, however small the file is.
    let mut blanked = whole.clone();
    blanked[..4_096].fill(0);
    let mut small = blanked.clone();
    small.truncate(64 * 1_024);
    for (what, damaged) in [
        ("cut", whole[..quarter].to_vec()),
        ("mark", other_mark),
        ("header", header),
        ("pages", pages),
        ("blanked", blanked),
        ("small", small),
    ] {
        fs::write(&path, &damaged).unwrap();
        let error = match EmbeddedEventStore::open(&settings(&path)) {
            Err(error) => error,
            Ok(store) => store.logs().await.expect_err(what),
        };
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
        assert!(error.message().contains("events"), "{what}: {error}");
        assert_eq!(fs::read(&path).unwrap().len(), damaged.len(), "{what}: the evidence is gone");
    }
    // The remainder of a creation that was killed holds nothing: it is put aside, and the store is
    // created again.
    let mut unmarked = vec![0; 8_192];
    unmarked[9..320].fill(0xA5);
    for remainder in [vec![], vec![0; 8_192], unmarked] {
        fs::write(&path, &remainder).unwrap();
        assert!(EmbeddedEventStore::open(&settings(&path)).unwrap().logs().await.unwrap().is_empty());
        assert_eq!(fs::read(directory.path().join("events.unfinished")).unwrap(), remainder);
    }
}

#[tokio::test]
async fn requests_beyond_what_may_wait_are_held_back_and_all_answered() {
    let disk = TestDisk::new();
    let group = GroupCommit::default().committing(2, 10_000).waiting(3, 10_000);
    let store = EmbeddedEventStore::open_on(&settings(Path::new("unused")).with_group(group), disk.mount()).unwrap();
    let writer = owner(&store, 1).await;
    let appends: Vec<_> = (0..40)
        .map(|number| {
            let writer = Arc::clone(&writer);
            start(async move { writer.append(batch(number, 3, 1_000)).await })
        })
        .collect();
    for append in appends {
        append.await.unwrap().unwrap();
    }
    assert_eq!(store.end(&partition_log(&west(), 1)).await.unwrap().prefix.count, 120);
    let region: RegionId = east();
    let link = WriterRole::Mirror(LinkId::new("link").unwrap());
    store.open_writer(&[partition_log(&region, 1)], link).await.unwrap();
}

//! What is synced, and what a crash does to calls and sessions under way.

use std::time::Duration;

use crate::error::{ErrorKind, Failure};
use crate::memory::MemoryEventStore;
use crate::ports::event_store::{
    EventSource as _, EventSourceExt as _, EventStore as _, EventWriter, OwnerBatch, ReadFrom, WriterRole,
};
use crate::position::LogIncarnation;
use crate::testing::fixtures::{TwoRegions, event, orders, partition_log, slice_a, west};
use crate::testing::interrupted::poll_times;

fn store() -> MemoryEventStore {
    MemoryEventStore::new(west(), LogIncarnation::from_bytes([1; 16]))
}

async fn writer(store: &MemoryEventStore) -> Box<dyn EventWriter> {
    let grant = TwoRegions::new().genesis(&slice_a(&orders()));
    store.open_writer(&[partition_log(&west(), 0)], WriterRole::Owner(grant)).await.unwrap()
}

fn batch(number: u64) -> OwnerBatch {
    OwnerBatch::new(partition_log(&west(), 0), vec![event(number)])
}

async fn count(store: &MemoryEventStore) -> u64 {
    store.end(&partition_log(&west(), 0)).await.unwrap().prefix.count
}

#[tokio::test(start_paused = true)]
async fn a_held_write_is_seen_by_nobody_and_lost_in_a_crash() {
    let store = store();
    let writer = writer(&store).await;
    let hold = store.hold_sync();
    let mut appending = writer.append(batch(1));
    assert!(poll_times(&mut appending, 3).await.is_none());
    hold.write_waits().await;
    assert_eq!(count(&store).await, 0);
    store.crash();
    let failure = appending.await.unwrap_err();
    assert!(failure.is_in_doubt(), "{failure}");
    assert_eq!(store.identity().await.unwrap_err().kind(), ErrorKind::Stopped);
    store.reopen();
    assert_eq!(count(&store).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_released_write_is_answered() {
    let store = store();
    let writer = writer(&store).await;
    let hold = store.hold_sync();
    let (answer, ()) = tokio::join!(biased; writer.append(batch(1)), async {
        hold.write_waits().await;
        drop(hold);
    });
    assert!(answer.is_ok());
    assert_eq!(count(&store).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_write_lands_with_the_next() {
    let store = store();
    let writer = writer(&store).await;
    let mut dropped = writer.append(batch(1));
    assert!(poll_times(&mut dropped, 1).await.is_none());
    drop(dropped);
    let answer = writer.append(batch(2)).await.unwrap();
    assert_eq!(answer.prefix.count, 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_polls_does_not_outlive_a_crash() {
    let store = store();
    let old = writer(&store).await;
    let mut appending = old.append(batch(1));
    assert!(poll_times(&mut appending, 1).await.is_none());
    store.crash();
    store.reopen();
    let new = writer(&store).await;
    new.append(batch(2)).await.unwrap();
    assert!(appending.await.unwrap_err().is_in_doubt());
    assert_eq!(count(&store).await, 1);
}

#[tokio::test(start_paused = true)]
async fn sessions_end_with_a_crash() {
    let store = store();
    let writer = writer(&store).await;
    let mut reader = store.open_reader(&partition_log(&west(), 0), ReadFrom::Start).await.unwrap();
    let (read, ()) = tokio::join!(biased; reader.next(1, Duration::from_secs(60)), async {
        store.crash();
        store.reopen();
    });
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Stopped);
    match writer.append(batch(1)).await {
        Err(Failure::NotApplied(error)) => assert_eq!(error.kind(), ErrorKind::Stopped),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_restored_backup_shows_an_older_commit_sequence() {
    let store = store();
    let first = writer(&store).await;
    let backup = store.backup();
    first.append(batch(1)).await.unwrap();
    let before = store.identity().await.unwrap();
    store.restore(backup);
    store.reopen();
    let after = store.identity().await.unwrap();
    assert_eq!(after.incarnation, before.incarnation);
    assert!(after.commit_sequence < before.commit_sequence);
    assert_eq!(count(&store).await, 0);
}

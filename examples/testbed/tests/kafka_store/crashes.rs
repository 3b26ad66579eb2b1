//! The broker is killed (SIGKILL) again and again while appends are under way. What the writers were
//! answered is there once, nothing is there twice, and each log is in the order in which it was sent.
//!
//! This shows the crash of processes and not a loss of power: what the broker has handed to the
//! operating system stays.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use dcp_core::clock::{Clock as _, SystemClock};
use dcp_core::event::{EventId, NewEvent, StreamId};
use dcp_core::ids::CursorName;
use dcp_core::log::LogId;
use dcp_core::ports::{Cursor, EventSource as _, EventStore as _, EventWriter, OwnerBatch, ReadFrom, WriterRole};
use dcp_core::store::kafka::KafkaEventStore;
use dcp_core::testing::fixtures::{TwoRegions, orders, slice_a, west};
use dcp_core::{ErrorKind, Failure};
use tokio::task::JoinSet;

use crate::broker::{block_on, broker, fresh_namespace, make_topics, open};

const KILLS: u32 = 20;
const WRITERS: u32 = 8;
/// Events that are answered, at least, between two kills.
const BETWEEN: u64 = 40;
const PATIENCE: Duration = Duration::from_secs(120);

fn log(writer: u32) -> LogId {
    LogId::new(orders(), west(), writer)
}

fn id(writer: u32, number: u64) -> EventId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&writer.to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    EventId::from_bytes(bytes)
}

fn cursor(writer: u32) -> CursorName {
    CursorName::new(format!("answered-{writer}")).unwrap()
}

pub(crate) fn twenty_times() {
    block_on(run());
}

async fn run() {
    let namespace = fresh_namespace();
    make_topics(&namespace).await;
    let store = open(&namespace).await.unwrap();
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (store, stop, count) = (Arc::clone(&store), Arc::clone(&stop), Arc::clone(&count));
        writers.spawn(async move { (writer, write(&store, writer, &stop, &count).await) });
    }
    for kill in 0..KILLS {
        progress(&count).await;
        // At another moment of the groups each time.
        SystemClock::new().sleep(Duration::from_millis(u64::from(kill * 37 % 100))).await;
        tokio::task::block_in_place(|| {
            broker().kill().unwrap();
            broker().start().unwrap();
        });
    }
    progress(&count).await;
    stop.store(true, Ordering::SeqCst);
    let mut answered = BTreeMap::new();
    while let Some(ended) = writers.join_next().await {
        let (writer, wrote) = ended.unwrap();
        answered.insert(writer, wrote);
    }
    drop(store);
    let store = open(&namespace).await.unwrap();
    let (mut events, mut in_doubt, mut opened_again) = (0, 0, 0);
    for (writer, Wrote { reopened, answered, doubts }) in answered {
        let held = read(&store, writer).await;
        assert_eq!(held.len() as u64, answered, "log {writer}: answered {answered}, {doubts} in doubt on the way");
        assert!(held.into_iter().eq((0..answered).map(|number| id(writer, number))), "log {writer}: another order");
        let kept = store.cursor(&cursor(writer)).await.unwrap().unwrap();
        assert_eq!(kept, answered.to_be_bytes()[..], "log {writer}: the cursor is not that of the last batch");
        events += answered;
        in_doubt += doubts;
        opened_again += reopened;
    }
    assert!(events >= u64::from(KILLS) * BETWEEN, "only {events} events were answered between {KILLS} kills");
    println!(
        "{KILLS} kills of the broker, {events} events answered, {in_doubt} batches in doubt, {opened_again} writers opened \
         again: each event is there once"
    );
}

// Waits until the writers are under way again: a kill in the middle of nothing shows nothing.
async fn progress(count: &AtomicU64) {
    let (clock, before) = (SystemClock::new(), count.load(Ordering::SeqCst));
    let begun = clock.now();
    while count.load(Ordering::SeqCst) < before + BETWEEN {
        assert!(clock.now().since(begun) < PATIENCE, "nothing was answered within {PATIENCE:?} of a start");
        clock.sleep(Duration::from_millis(5)).await;
    }
}

struct Wrote {
    reopened: u64,
    answered: u64,
    doubts: u64,
}

// A batch is sent until it is answered; only then comes the next.
async fn write(store: &KafkaEventStore, writer: u32, stop: &AtomicBool, count: &AtomicU64) -> Wrote {
    let grant = TwoRegions::new().genesis(&slice_a(&orders()));
    let mut session: Option<Box<dyn EventWriter>> = None;
    let mut wrote = Wrote { reopened: 0, answered: 0, doubts: 0 };
    while !stop.load(Ordering::SeqCst) {
        let numbers = wrote.answered..wrote.answered + 1 + wrote.answered % 3;
        let event = |number| NewEvent::new(id(writer, number), StreamId::new("stream"), "counted", "{}".into());
        let value = numbers.end.to_be_bytes().to_vec().into();
        let batch = OwnerBatch::new(log(writer), numbers.clone().map(event).collect())
            .with_cursor(Cursor { name: cursor(writer), value });
        // The session outlives the broker's process; a writer that never opened must be opened.
        loop {
            if session.is_none() {
                let opened = store.open_writer(&[log(writer)], WriterRole::Owner(grant.clone())).await;
                session = opened.inspect_err(|failure| eprintln!("  log {writer} is not open yet: {failure:?}")).ok();
            }
            let Some(open) = &session else {
                SystemClock::new().sleep(Duration::from_millis(20)).await;
                continue;
            };
            match open.append(batch.clone()).await {
                Ok(appended) => {
                    assert_eq!(appended.acks.len(), batch.events.len());
                    count.fetch_add(numbers.end - wrote.answered, Ordering::SeqCst);
                    wrote.answered = numbers.end;
                    break;
                }
                Err(Failure::InDoubt(_)) => wrote.doubts += 1,
                // A commit whose answer the crash took may leave the session behind: see the store's limits.
                Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Fenced => {
                    wrote.reopened += 1;
                    session = None;
                }
                Err(Failure::NotApplied(error)) => {
                    assert_eq!(error.kind(), ErrorKind::Retry, "{error}");
                    SystemClock::new().sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
    wrote
}

async fn read(store: &KafkaEventStore, writer: u32) -> Vec<EventId> {
    let mut reader = store.open_reader(&log(writer), ReadFrom::Start).await.unwrap();
    let mut ids = Vec::new();
    loop {
        let page = reader.next(1_000, Duration::ZERO).await.unwrap();
        if page.is_empty() {
            return ids;
        }
        ids.extend(page.into_iter().map(|placed| placed.record.id));
    }
}

//! The server is killed (SIGKILL) again and again while appends are under way. What the writers were
//! answered is there once, nothing is there twice, and each log is in the order in which it was sent.
//!
//! This shows the crash of processes and not a loss of power: what the server has handed to the
//! operating system stays.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dcp_core::Failure;
use dcp_core::clock::{Clock as _, SystemClock};
use dcp_core::event::{EventId, NewEvent, StreamId};
use dcp_core::log::LogId;
use dcp_core::ports::{EventSource as _, EventStore as _, EventWriter, OwnerBatch, ReadFrom, WriterRole};
use dcp_core::store::postgres::{PostgresEventSettings, PostgresEventStore};
use dcp_core::testing::fixtures::{TwoRegions, orders, slice_a, west};
use tokio::task::JoinSet;

use crate::server::{block_on, config, fresh_schema, open, open_as, server};

const KILLS: u32 = 100;
const WRITERS: u32 = 8;

fn log(writer: u32) -> LogId {
    LogId::new(orders(), west(), writer)
}

fn id(writer: u32, number: u64) -> EventId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&writer.to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    EventId::from_bytes(bytes)
}

pub(crate) fn a_hundred_times() {
    block_on(run());
}

async fn run() {
    let schema = fresh_schema();
    let settings = PostgresEventSettings::new(west()).with_schema(&schema).with_deadline(Duration::from_secs(2));
    let store = open_as(config(), settings).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        writers.spawn(async move { (writer, write(&store, writer, &stop).await) });
    }
    for kill in 0..KILLS {
        // At another moment of the groups each time.
        SystemClock::new().sleep(Duration::from_millis(20 + u64::from(kill * 7 % 40))).await;
        tokio::task::block_in_place(|| {
            server().kill().unwrap();
            server().start().unwrap();
        });
    }
    stop.store(true, Ordering::SeqCst);
    let mut answered = BTreeMap::new();
    while let Some(ended) = writers.join_next().await {
        let (writer, wrote) = ended.unwrap();
        answered.insert(writer, wrote);
    }
    drop(store);
    let store = open(&schema).await.unwrap();
    let (mut events, mut in_doubt) = (0, 0);
    for (writer, Wrote { answered, doubts }) in answered {
        let held = read(&store, writer).await;
        assert_eq!(held.len() as u64, answered, "log {writer}: answered {answered}, {doubts} in doubt on the way");
        assert!(held.into_iter().eq((0..answered).map(|number| id(writer, number))), "log {writer}: another order");
        events += answered;
        in_doubt += doubts;
    }
    println!("{KILLS} kills of the server, {events} events answered, {in_doubt} batches in doubt: each is there once");
    // Else the kills hit nothing, or nothing was written between them.
    assert!(events >= u64::from(KILLS) && in_doubt > 0, "{events} events answered, {in_doubt} batches in doubt");
}

struct Wrote {
    answered: u64,
    doubts: u64,
}

// A batch is sent until it is answered; only then comes the next.
async fn write(store: &PostgresEventStore, writer: u32, stop: &AtomicBool) -> Wrote {
    let grant = TwoRegions::new().genesis(&slice_a(&orders()));
    let mut session: Option<Box<dyn EventWriter>> = None;
    let mut wrote = Wrote { answered: 0, doubts: 0 };
    while !stop.load(Ordering::SeqCst) {
        let numbers = wrote.answered..wrote.answered + 1 + wrote.answered % 3;
        let events = numbers
            .clone()
            .map(|number| NewEvent::new(id(writer, number), StreamId::new("stream"), "counted", "{}".into()));
        let batch = OwnerBatch::new(log(writer), events.collect());
        // The session is the store's and outlives the server; a writer that never opened must.
        loop {
            if session.is_none() {
                session = store.open_writer(&[log(writer)], WriterRole::Owner(grant.clone())).await.ok();
            }
            let Some(open) = &session else {
                SystemClock::new().sleep(Duration::from_millis(20)).await;
                continue;
            };
            match open.append(batch.clone()).await {
                Ok(appended) => {
                    assert_eq!(appended.acks.len(), batch.events.len());
                    wrote.answered = numbers.end;
                    break;
                }
                Err(Failure::InDoubt(_)) => wrote.doubts += 1,
                Err(Failure::NotApplied(error)) => {
                    assert_eq!(error.kind(), dcp_core::ErrorKind::Retry, "{error}");
                    SystemClock::new().sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
    wrote
}

async fn read(store: &PostgresEventStore, writer: u32) -> Vec<EventId> {
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

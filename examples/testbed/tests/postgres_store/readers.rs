//! Sixteen writers whose transactions are held for random times: readers by position get every event
//! once and in order. A cursor over a column that is set before the commit does not, and the same
//! count shows it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dcp_core::event::{EventId, NewEvent, StreamId};
use dcp_core::log::LogId;
use dcp_core::ports::{EventSource as _, EventStore as _, OwnerBatch, ReadFrom, WriterRole};
use dcp_core::store::postgres::PostgresEventStore;
use dcp_core::store::postgres::tokio_postgres::{Client, NoTls};
use dcp_core::testing::fixtures::{TwoRegions, orders, slice_a, west};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::server::{block_on, config, fresh_schema, open};

const WRITERS: u32 = 16;
const BATCHES: u32 = 40;
const EVENTS: u32 = 3;

async fn client() -> (Client, JoinSet<()>) {
    let (client, connection) = config().connect(NoTls).await.unwrap();
    let mut running = JoinSet::new();
    running.spawn(async move { connection.await.unwrap() });
    (client, running)
}

// Each insert is held for up to 20 ms before its commit.
async fn hold_transactions(client: &Client, schema: &str) {
    client
        .batch_execute(&format!(
            "CREATE FUNCTION {schema}.hold() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN PERFORM pg_sleep(random() * 0.02); RETURN NULL; END $$; \
             CREATE TRIGGER hold AFTER INSERT ON {schema}.records FOR EACH STATEMENT EXECUTE FUNCTION {schema}.hold()"
        ))
        .await
        .unwrap();
}

fn id(writer: u32, number: u32) -> EventId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&writer.to_be_bytes());
    bytes[4..8].copy_from_slice(&number.to_be_bytes());
    EventId::from_bytes(bytes)
}

fn log(writer: u32) -> LogId {
    LogId::new(orders(), west(), writer)
}

async fn write(store: Arc<PostgresEventStore>, writer: u32) {
    let grant = TwoRegions::new().genesis(&slice_a(&orders()));
    let session = store.open_writer(&[log(writer)], WriterRole::Owner(grant)).await.unwrap();
    for batch in 0..BATCHES {
        let event = |number| NewEvent::new(id(writer, number), StreamId::new("stream"), "counted", "{}".into());
        let events = (batch * EVENTS..(batch + 1) * EVENTS).map(event).collect();
        session.append(OwnerBatch::new(log(writer), events)).await.unwrap();
    }
}

// In order, without gap or repetition: any other sequence differs from the one that was written.
async fn read(store: Arc<PostgresEventStore>, writer: u32) {
    let mut reader = store.open_reader(&log(writer), ReadFrom::Start).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < (BATCHES * EVENTS) as usize {
        seen.extend(reader.next(7, Duration::from_secs(20)).await.unwrap().into_iter().map(|placed| placed.record.id));
    }
    assert!(seen.iter().copied().eq((0..BATCHES * EVENTS).map(|number| id(writer, number))), "log {writer}: {seen:?}");
    assert!(reader.next(1, Duration::ZERO).await.unwrap().is_empty());
}

// What many a store does: everything after the newest that was seen.
async fn read_naively(client: Client, schema: String, until: usize) -> usize {
    let text = format!(
        "SELECT id, recorded_at::text FROM {schema}.records WHERE recorded_at > $1::text::timestamptz ORDER BY recorded_at"
    );
    let (mut cursor, mut seen) = ("-infinity".to_owned(), BTreeSet::new());
    loop {
        for row in client.query(&text, &[&cursor]).await.unwrap() {
            seen.insert(row.get::<_, Uuid>(0));
            cursor = row.get(1);
        }
        let all: i64 = client.query_one(&format!("SELECT count(*) FROM {schema}.records"), &[]).await.unwrap().get(0);
        if all == i64::try_from(until).unwrap() {
            return until - seen.len();
        }
    }
}

pub(crate) fn held() {
    block_on(every_event_is_read_once_and_in_order());
}

async fn every_event_is_read_once_and_in_order() {
    let schema = fresh_schema();
    let (writing, reading) = (open(&schema).await.unwrap(), open(&schema).await.unwrap());
    let (client, _running) = client().await;
    hold_transactions(&client, &schema).await;
    // Somebody else's transaction stays open all the while, and stops no reader.
    let (idle, _idle_running) = self::client().await;
    idle.batch_execute("BEGIN; SELECT pg_current_xact_id()").await.unwrap();
    let all = (WRITERS * BATCHES * EVENTS) as usize;
    let mut naive = JoinSet::new();
    naive.spawn(read_naively(client, schema, all));
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        tasks.spawn(write(Arc::clone(&writing), writer));
        tasks.spawn(read(Arc::clone(&reading), writer));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let missed = naive.join_next().await.unwrap().unwrap();
    println!("of {all} events: 0 missed by position, {missed} by a cursor over recorded_at");
    assert!(missed > 0, "the naive cursor was not caught: nothing was held long enough");
}

//! The history behind an open store changes: records are lost, as by a standby that lacked them, or the store is
//! made anew. Whoever read or wrote what is gone is told so, and nothing is skipped or mixed.

use std::fmt::Debug;
use std::time::Duration;

use dcp_core::ids::CursorName;
use dcp_core::log::LogId;
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{EventReader, EventSource as _, EventStore as _, EventWriter, ReadFrom, WriterRole};
use dcp_core::store::postgres::PostgresEventStore;
use dcp_core::testing::fixtures::{TwoRegions, orders, slice_a};
use dcp_core::{Error, ErrorKind, Failure};

use crate::events::{assert_holds, batch, id, log, owner, session};
use crate::server::{block_on, fresh_schema, open};

const ALL: usize = 100;

fn is(error: &Error, code: &str) {
    assert_eq!((error.kind(), error.code()), (ErrorKind::Corrupt, code), "{error}");
}

fn refused<T: Debug>(outcome: Result<T, Error>, code: &str) {
    is(&outcome.unwrap_err(), code);
}

fn not_applied<T: Debug>(outcome: Result<T, Failure>, code: &str) {
    match outcome {
        Err(Failure::NotApplied(error)) => is(&error, code),
        other => panic!("{other:?}"),
    }
}

async fn reader(store: &PostgresEventStore, from: ReadFrom) -> Box<dyn EventReader> {
    store.open_reader(&log(0), from).await.unwrap()
}

async fn next(reader: &mut Box<dyn EventReader>) -> Result<usize, Error> {
    reader.next(ALL, Duration::ZERO).await.map(|page| page.len())
}

// The records after the third are lost, as they are to a standby that they have not reached.
async fn cut(schema: &str) {
    let (admin, _, _running) = session("failover").await;
    let text = format!(
        "DELETE FROM {schema}.records WHERE rank > 3; UPDATE {schema}.logs \
         SET records = 3, digest = (SELECT prefix FROM {schema}.records r WHERE r.log_id = logs.log_id AND rank = 3) \
         WHERE records > 3"
    );
    admin.batch_execute(&text).await.unwrap();
}

pub(crate) fn back() {
    block_on(async {
        let schema = fresh_schema();
        let store = open(&schema).await.unwrap();
        let writer = owner(&store, 1).await.unwrap();
        for number in 0..3 {
            writer.append(batch(0, number)).await.unwrap();
        }
        let mut at_three = reader(&store, ReadFrom::Start).await;
        let third = at_three.next(ALL, Duration::ZERO).await.unwrap().pop().unwrap().position;
        for number in 3..5 {
            writer.append(batch(0, number)).await.unwrap();
        }
        let mut at_five = reader(&store, ReadFrom::Start).await;
        assert_eq!(next(&mut at_five).await.unwrap(), 5);
        let mut also_at_five = reader(&store, ReadFrom::After(third)).await;
        assert_eq!(next(&mut also_at_five).await.unwrap(), 2);

        cut(&schema).await;
        refused(next(&mut at_five).await, "went-back");
        not_applied(writer.append(batch(0, 5)).await, "went-back");
        // Nor a second time, when nothing is remembered of the log's end.
        not_applied(writer.append(batch(0, 5)).await, "went-back");
        nothing_is_answered(&store).await;
        // Another process, which knows of nothing, goes on from there, past where the others were.
        let other = open(&schema).await.unwrap();
        assert_holds(&other, 0..3).await;
        let successor = owner(&other, 1).await.unwrap();
        for number in 13..19 {
            successor.append(batch(0, number)).await.unwrap();
        }
        refused(next(&mut at_five).await, "went-back");
        refused(next(&mut also_at_five).await, "went-back");
        not_applied(writer.append(batch(0, 5)).await, "went-back");
        not_applied(store.seal(&[log(0)], &genesis()).await, "went-back");
        not_applied(owner(&store, 1).await, "went-back");
        refused(store.open_reader(&log(0), ReadFrom::Start).await, "went-back");
        // Who read no further than what was kept has missed nothing.
        assert_eq!(next(&mut at_three).await.unwrap(), 6);
    });
}

async fn owner_of(store: &PostgresEventStore, logs: &[LogId]) -> Box<dyn EventWriter> {
    store.open_writer(logs, WriterRole::Owner(genesis())).await.unwrap()
}

// By a process that knows of more than is there: neither an end, nor a place to begin, nor a right.
async fn nothing_is_answered(store: &PostgresEventStore) {
    const CODE: &str = "went-back";
    not_applied(store.seal(&[log(0)], &genesis()).await, CODE);
    not_applied(owner(store, 1).await, CODE);
    refused(store.ends(&[log(0)]).await, CODE);
    refused(store.prefix(&log(0), 5).await, CODE);
    refused(store.prefix(&log(0), 4).await, CODE);
    refused(store.open_reader(&log(0), ReadFrom::Start).await, CODE);
}

fn genesis() -> WriteGrant {
    TwoRegions::new().genesis(&slice_a(&orders()))
}

pub(crate) fn anew() {
    block_on(async {
        const CODE: &str = "other-incarnation";
        let schema = fresh_schema();
        let store = open(&schema).await.unwrap();
        let writer = owner(&store, 1).await.unwrap();
        writer.append(batch(0, 0)).await.unwrap();
        // The new store will not have this log yet.
        let on_another_log = owner_of(&store, &[log(1)]).await;
        on_another_log.append(batch(1, 1)).await.unwrap();
        let (mut read, mut waiting) = (reader(&store, ReadFrom::Start).await, reader(&store, ReadFrom::Start).await);
        assert_eq!(next(&mut read).await.unwrap(), 1);

        let (admin, _, _running) = session("maker").await;
        admin.batch_execute(&format!("DROP SCHEMA {schema} CASCADE")).await.unwrap();
        let other = open(&schema).await.unwrap();
        let successor = owner(&other, 1).await.unwrap();
        for number in 10..12 {
            successor.append(batch(0, number)).await.unwrap();
        }

        not_applied(writer.append(batch(0, 1)).await, CODE);
        not_applied(on_another_log.append(batch(1, 2)).await, CODE);
        not_applied(owner(&store, 1).await, CODE);
        not_applied(store.seal(&[log(0)], &genesis()).await, CODE);
        refused(next(&mut read).await, CODE);
        refused(next(&mut waiting).await, CODE);
        refused(store.open_reader(&log(0), ReadFrom::Start).await, CODE);
        refused(store.identity().await, CODE);
        refused(store.ends(&[log(0)]).await, CODE);
        refused(store.logs().await, CODE);
        refused(store.fence(&log(0)).await, CODE);
        refused(store.prefix(&log(0), 1).await, CODE);
        refused(store.sightings(&orders(), 0, &[id(10)]).await, CODE);
        refused(store.cursor(&CursorName::new("place").unwrap()).await, CODE);
        // The new store has its own, and nothing else.
        let held: Vec<_> = crate::events::held(&other, 0).await;
        assert_eq!(held, [id(10), id(11)]);
    });
}

pub(crate) fn counted() {
    block_on(async {
        let store = open(&fresh_schema()).await.unwrap();
        let sequence = async || store.identity().await.unwrap().commit_sequence;
        let fresh = sequence().await;
        let writer = owner(&store, 2).await.unwrap();
        let opened = sequence().await;
        assert!(opened > fresh, "the first opening is a commit: {fresh}, then {opened}");
        let mut before = opened;
        for number in 0..4 {
            writer.append(batch(u32::try_from(number % 2).unwrap(), number)).await.unwrap();
            let now = sequence().await;
            assert!(now > before, "an append is a commit: {before}, then {now}");
            before = now;
        }
    });
}

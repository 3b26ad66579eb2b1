//! Writers that died in the middle of a transaction, which stays open in the cluster until its time-out of
//! a minute: whose log it is can be opened at once, and nobody else waits for it.

use std::time::Duration;

use dcp_core::ErrorKind;
use dcp_core::clock::{Clock as _, SystemClock};
use dcp_core::ids::CursorName;
use dcp_core::kafka::batch::{Record, encode};
use dcp_core::kafka::{Produce, TopicPartition};
use dcp_core::log::LogId;
use dcp_core::ports::{
    Cursor, EventSource as _, EventSourceExt as _, EventStore as _, EventWriter, OwnerBatch, ReadFrom, WriterRole,
};
use dcp_core::testing::fixtures::{event, event_id, orders, west};

use crate::broker::{block_on, client, fresh_namespace, make_topics, open_as, settings};
use crate::steps::{Store, grant, ids, own, owner, read_all, refused};

/// Much less than the time-out of the transactions that hang.
const SOON: Duration = Duration::from_secs(10);

fn other() -> LogId {
    LogId::new(orders(), west(), 0)
}

// All keys of the state topic in one partition.
async fn open_narrow(namespace: &str) -> Store {
    let settings = settings(namespace).with_state_partitions(1).with_deadline(Duration::from_secs(2));
    open_as(settings).await.unwrap()
}

fn cursor(name: &str, value: &'static str) -> Cursor {
    Cursor { name: CursorName::new(name).unwrap(), value: value.into() }
}

fn state_topic(namespace: &str) -> String {
    format!("{namespace}dcp.store.internal")
}

// As a writer of the log that died before it committed.
async fn leave_open(namespace: &str, log: &LogId, keys: &[String]) {
    let (client, id) = (client(), format!("{namespace}dcp.west.owner.{log}"));
    let session = client.init_producer(Some(&id), Duration::from_secs(60), None).await.unwrap();
    let record = |key: &String| Record {
        offset: 0,
        timestamp: 1_700_000_000_000,
        key: Some(key.clone().into()),
        value: Some("never committed".into()),
        headers: Vec::new(),
    };
    let state = encode(&keys.iter().map(record).collect::<Vec<_>>(), session, 0, true).unwrap();
    let events = encode(&[record(&"stream".to_owned())], session, 0, true).unwrap();
    let (own, partition) = (format!("{namespace}orders"), i32::try_from(log.partition()).unwrap());
    let produce = Produce::new(vec![
        (TopicPartition::new(state_topic(namespace), 0), state.into()),
        (TopicPartition::new(own, partition), events.into()),
    ]);
    let outcomes = client.produce(produce.with_transactional_id(id.as_str())).await.unwrap();
    assert!(outcomes.into_values().all(|outcome| outcome.is_ok()));
}

async fn append(writer: &dyn EventWriter, log: &LogId, number: u64, cursor: Cursor) {
    let batch = OwnerBatch::new(log.clone(), vec![event(number)]).with_cursor(cursor);
    writer.append(batch).await.unwrap();
}

/// Of another log, among the same keys: this one is opened, written, read and sealed meanwhile, and whoever
/// asks for what hangs is told what to do.
pub(crate) fn of_another_log() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let (store, kept) = (open_narrow(&namespace).await, cursor("other", "kept"));
        let dying = store.open_writer(&[other()], WriterRole::Owner(grant(1))).await.unwrap();
        append(&*dying, &other(), 1, kept.clone()).await;
        drop((dying, store));
        leave_open(&namespace, &other(), &["cursor/other".to_owned()]).await;

        let began = SystemClock::new().now();
        let store = open_narrow(&namespace).await;
        let writer = owner(&store, 1).await.unwrap();
        append(&*writer, &own(), 2, cursor("own", "here")).await;
        assert_eq!(store.cursor(&cursor("own", "").name).await.unwrap().unwrap(), "here");
        let cut = store.seal(&[own()], &grant(2)).await.unwrap();
        assert_eq!(cut.get(&own()).unwrap().prefix.count, 1);
        // Committed behind what hangs, and known.
        assert_eq!(store.fence(&own()).await.unwrap().highest().unwrap().epoch, grant(2).epoch);
        let took = SystemClock::new().now().since(began);
        assert!(took < SOON, "{took:?}");

        let asked = store.cursor(&kept.name).await.unwrap_err();
        assert_eq!((asked.kind(), asked.code()), (ErrorKind::Retry, "undecided-transaction"));
        for said in [format!("{}/0", state_topic(&namespace)), "open a writer of the log".to_owned(), "60s".to_owned()]
        {
            assert!(asked.to_string().contains(&said), "{said}: {asked}");
        }
        // What was there before is read meanwhile.
        let held = read_all(&*store, &other()).await;
        assert_eq!(ids(&held), [event_id(1)]);
        let mut rest = store.open_reader(&other(), ReadFrom::After(held[0].position)).await.unwrap();
        assert!(rest.next(1, Duration::ZERO).await.unwrap().is_empty());
        // The cure that it names.
        drop(store.open_writer(&[other()], WriterRole::Owner(grant(1))).await.unwrap());
        assert_eq!(store.cursor(&kept.name).await.unwrap(), Some(kept.value));
        assert_eq!(store.end(&other()).await.unwrap().prefix.count, 1);
    });
}

/// In the epoch of the fence, which is sealed again: as by a region that goes on after its own death. Whoever
/// has the right to write goes on.
pub(crate) fn of_the_same_epoch() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let store = open_narrow(&namespace).await;
        let writer = owner(&store, 1).await.unwrap();
        append(&*writer, &own(), 1, cursor("own", "here")).await;
        leave_open(&namespace, &own(), &["cursor/own".to_owned()]).await;
        let cut = store.seal(&[own()], &grant(1)).await.unwrap();
        assert_eq!(cut.get(&own()).unwrap().prefix.count, 1);
        assert_eq!(store.cursor(&cursor("own", "").name).await.unwrap().unwrap(), "here");
        let lost = writer.append(OwnerBatch::new(own(), vec![event(2)])).await;
        assert_eq!(refused(lost, ErrorKind::Retry), "transaction-lost");
        append(&*writer, &own(), 2, cursor("own", "there")).await;
        assert_eq!(ids(&read_all(&*store, &own()).await), [event_id(1), event_id(2)]);
    });
}

/// Of all logs at once, in the middle of an opening, as after a region's death.
pub(crate) fn of_all_logs() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        drop(open_narrow(&namespace).await);
        for log in [own(), other()] {
            leave_open(&namespace, &log, &[format!("fence/{log}"), format!("holder/owner/{log}")]).await;
        }
        let began = SystemClock::new().now();
        let store = open_narrow(&namespace).await;
        let sealed = store.seal(&[own()], &grant(2)).await.unwrap();
        assert_eq!(sealed.get(&own()).unwrap().prefix.count, 0);
        let logs = [own(), other()];
        let writer = store.open_writer(&logs, WriterRole::Owner(grant(3))).await.unwrap();
        for (log, number) in logs.iter().zip(1..) {
            append(&*writer, log, number, cursor("own", "here")).await;
        }
        let took = SystemClock::new().now().since(began);
        assert!(took < SOON, "{took:?}");
    });
}

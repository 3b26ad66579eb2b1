//! Bad input and topics that changed under the store: each a clear refusal, and nothing read anew in
//! silence.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dcp_core::ErrorKind;
use dcp_core::kafka::{KafkaClient, NewTopic};
use dcp_core::log::LogId;
use dcp_core::ports::{EventSource as _, EventSourceExt as _, EventStore as _, ReadFrom, WriterRole};
use dcp_core::store::kafka::KafkaEventSettings;
use dcp_core::testing::fixtures::{east, event, orders, west};

use crate::broker::{block_on, client, fresh_namespace, make_topic, make_topics, open, open_as, settings};
use crate::steps::{append, grant, own, owner, place, read_all, refused};

fn log(text: &str) -> LogId {
    text.parse().unwrap()
}

/// What cannot be, before anything is written.
pub(crate) fn of_bad_input() {
    block_on(async {
        let namespace = fresh_namespace();
        let store = open(&namespace).await.unwrap();
        assert_eq!(store.end(&own()).await.unwrap_err().code(), "no-topic");
        assert_eq!(refused(owner(&store, 1).await, ErrorKind::Invalid), "no-topic");
        make_topics(&namespace).await;
        assert_eq!(store.end(&log("orders@west/8")).await.unwrap_err().code(), "no-partition");
        assert_eq!(store.end(&log("returns@west/0")).await.unwrap_err().code(), "undeclared-log");
        let ninth = store.open_writer(&[log("orders@west/8")], WriterRole::Owner(grant(1))).await;
        assert_eq!(refused(ninth, ErrorKind::Invalid), "no-partition");
        let writer = owner(&store, 1).await.unwrap();
        let reserved = event(1).with_header("dcp-rank", Bytes::new());
        assert_eq!(refused(append(&writer, vec![event(2), reserved]).await, ErrorKind::Invalid), "reserved-header");
        assert_eq!(store.end(&own()).await.unwrap().prefix.count, 0);
        // The same place in the cluster is one region's, with one count of state partitions.
        let code = |settings: KafkaEventSettings| async { open_as(settings).await.unwrap_err().code().to_owned() };
        let other = KafkaEventSettings::new(east()).with_scope(orders()).with_namespace(&namespace);
        assert_eq!(code(other).await, "other-region");
        assert_eq!(code(settings(&namespace).with_state_partitions(9)).await, "other-partition-count");
        assert_eq!(code(settings(&namespace).with_peers([west()])).await, "own-peer");
        assert_eq!(code(settings("a b")).await, "bad-namespace");
    });
}

/// A mirror with fewer partitions than the log has.
pub(crate) fn of_another_partition_count() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topic(&format!("{namespace}orders"), 2).await;
        make_topic(&format!("{namespace}east.orders"), 1).await;
        let store = open(&namespace).await.unwrap();
        assert_eq!(refused(owner(&store, 1).await, ErrorKind::Invalid), "no-partition");
    });
}

/// Only that caller is refused whose event is too large for the topic.
pub(crate) fn of_a_record_above_the_limit() {
    block_on(async {
        let namespace = fresh_namespace();
        let client = client();
        for name in ["orders", "east.orders"] {
            let topic = NewTopic::new(format!("{namespace}{name}"), 2, 1).with_config("max.message.bytes", "10000");
            client.create_topics(&[topic]).await.unwrap();
        }
        let store = open(&namespace).await.unwrap();
        let writer = owner(&store, 1).await.unwrap();
        let mut large = event(2);
        large.payload = vec![7; 20_000].into();
        let (small, large, later) = tokio::join!(
            append(&writer, vec![event(1)]),
            append(&writer, vec![large]),
            append(&writer, vec![event(3)]),
        );
        assert_eq!(refused(large, ErrorKind::Invalid), "record-too-large");
        small.unwrap();
        later.unwrap();
        assert_eq!(store.end(&own()).await.unwrap().prefix.count, 2);
    });
}

async fn remake(client: &KafkaClient, name: &str) {
    let outcomes = client.delete_topics(&[Arc::from(name)]).await.unwrap();
    assert!(outcomes.into_values().all(|outcome| outcome.is_ok()));
    make_topic(name, 8).await;
}

/// Deleted and made anew, with fewer, and with more records than before.
pub(crate) fn of_a_topic_made_anew() {
    block_on(async {
        for refilled in [0_u64, 1, 20] {
            let namespace = fresh_namespace();
            make_topics(&namespace).await;
            let store = open(&namespace).await.unwrap();
            let writer = owner(&store, 1).await.unwrap();
            append(&writer, (1..=5).map(event).collect()).await.unwrap();
            let position = store.end(&own()).await.unwrap().last.unwrap();
            let mut reader = store.open_reader(&own(), ReadFrom::Start).await.unwrap();
            assert_eq!(reader.next(3, Duration::ZERO).await.unwrap().len(), 3);
            let mut at_end = store.open_reader(&own(), ReadFrom::After(position)).await.unwrap();
            remake(&client(), &format!("{namespace}orders")).await;
            let other = open(&namespace).await.unwrap();
            let fresh = owner(&other, 2).await.unwrap();
            for number in 0..refilled {
                append(&fresh, vec![event(100 + number)]).await.unwrap();
            }
            // What was fetched before is good; what follows is not.
            assert_eq!(reader.next(10, Duration::ZERO).await.unwrap().len(), 2);
            let kind = |error: dcp_core::Error| error.kind();
            assert_eq!(at_end.next(10, Duration::ZERO).await.unwrap_err().kind(), ErrorKind::Corrupt, "{refilled}");
            assert_eq!(store.end(&own()).await.unwrap_err().kind(), ErrorKind::Corrupt, "{refilled}");
            assert_eq!(store.prefix(&own(), 2).await.map_err(kind), Err(ErrorKind::Corrupt));
            assert_eq!(reader.next(10, Duration::ZERO).await.map_err(kind), Err(ErrorKind::Corrupt));
            refused(append(&writer, vec![event(6)]).await, ErrorKind::Corrupt);
            let refused = other.open_reader(&own(), ReadFrom::After(position)).await;
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Corrupt);
            assert_eq!(read_all(&*other, &own()).await.len() as u64, refilled);
        }
    });
}

/// The store's own topic made anew: fences are lost, and nothing is opened.
pub(crate) fn of_a_lost_state_topic() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let store = open(&namespace).await.unwrap();
        let before = store.identity().await.unwrap();
        drop(owner(&store, 7).await.unwrap());
        let (client, name) = (client(), format!("{namespace}dcp.store.internal"));
        client.delete_topics(&[Arc::from(name.as_str())]).await.unwrap();
        refused(owner(&store, 7).await, ErrorKind::Corrupt);
        assert_eq!(store.identity().await.unwrap_err().kind(), ErrorKind::Corrupt);
        // A store that is made there later is another one, and the witness is shown so.
        let other = open(&namespace).await.unwrap();
        assert_ne!(other.identity().await.unwrap().incarnation, before.incarnation);
    });
}

/// Records deleted below, at and above where readers and the store stand.
pub(crate) fn of_deleted_records() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let store = open(&namespace).await.unwrap();
        let writer = owner(&store, 1).await.unwrap();
        for number in 1..=6 {
            append(&writer, vec![event(number)]).await.unwrap();
        }
        let all = read_all(&*store, &own()).await;
        let mut behind = store.open_reader(&own(), ReadFrom::After(all[0].position)).await.unwrap();
        // Each append takes two offsets: its record and its marker.
        let before = BTreeMap::from([(place(&format!("{namespace}orders")), 6)]);
        client().delete_records(&before).await.unwrap();
        assert_eq!(behind.next(10, Duration::ZERO).await.unwrap_err().kind(), ErrorKind::Corrupt);
        let opened = store.open_reader(&own(), ReadFrom::After(all[0].position)).await;
        let read = async { opened?.next(10, Duration::ZERO).await };
        assert_eq!(read.await.unwrap_err().kind(), ErrorKind::Corrupt);
        for store in [store, open(&namespace).await.unwrap()] {
            // What is left is read as it was, at its place.
            assert_eq!(read_all(&*store, &own()).await, all[3..]);
            for after in [2, 3, 4] {
                let mut rest = store.open_reader(&own(), ReadFrom::After(all[after].position)).await.unwrap();
                assert_eq!(rest.next(10, Duration::ZERO).await.unwrap(), all[after + 1..], "after {after}");
            }
            assert_eq!(store.end(&own()).await.unwrap().prefix.count, 6);
        }
        // Who saw the versions go on may; who did not cannot know them.
        append(&writer, vec![event(7)]).await.unwrap();
        let other = open(&namespace).await.unwrap();
        assert_eq!(refused(owner(&other, 1).await, ErrorKind::Refused), "head-gone");
        let everything = BTreeMap::from([(place(&format!("{namespace}orders")), 14)]);
        client().delete_records(&everything).await.unwrap();
        assert_eq!(open(&namespace).await.unwrap().end(&own()).await.unwrap_err().code(), "emptied-log");
    });
}

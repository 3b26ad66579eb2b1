//! Topics with settings that are not the store's to make.

use std::sync::Arc;

use dcp_core::ErrorKind;
use dcp_core::event::NewEvent;
use dcp_core::ids::CursorName;
use dcp_core::kafka::{ConfigResource, NewTopic};
use dcp_core::ports::{Cursor, EventSource as _, EventSourceExt as _, OwnerBatch};
use dcp_core::testing::fixtures::{event, event_id};

use crate::broker::{block_on, client, fresh_namespace, make_topics, open, open_as, settings};
use crate::steps::{append, own, owner, refused};

async fn make(name: String, partitions: i32, setting: (&str, &str)) {
    let topic = NewTopic::new(name, partitions, 1).with_config(setting.0, setting.1);
    assert!(client().create_topics(&[topic]).await.unwrap().into_values().all(|made| made.is_ok()));
}

/// Compaction of a log and retention of what the store keeps: refused with the command that cures it.
pub(crate) fn that_lose_records() {
    block_on(async {
        let namespace = fresh_namespace();
        for name in ["orders", "east.orders"] {
            make(format!("{namespace}{name}"), 2, ("cleanup.policy", "compact")).await;
        }
        let store = open(&namespace).await.unwrap();
        let error = match owner(&store, 1).await {
            Err(dcp_core::Failure::NotApplied(error)) => error,
            other => panic!("{other:?}"),
        };
        assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "wrong-cleanup-policy"));
        assert!(error.message().contains("cleanup.policy=delete"), "{error}");
        let namespace = fresh_namespace();
        make(format!("{namespace}dcp.store.internal"), 8, ("cleanup.policy", "delete")).await;
        let error = open(&namespace).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "wrong-cleanup-policy"));
        // What the store makes itself keeps everything.
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let store = open(&namespace).await.unwrap();
        store.end(&"orders.heartbeats@west/0".parse().unwrap()).await.unwrap();
        for name in ["orders.heartbeats", "dcp.store.internal"] {
            let topic = ConfigResource::Topic(Arc::from(format!("{namespace}{name}")));
            let configs = client().describe_configs(std::slice::from_ref(&topic)).await.unwrap();
            assert_eq!(configs[&topic]["retention.ms"].value.as_deref(), Some("-1"), "{name}");
        }
    });
}

/// Batches and cursors above what one batch may have, in small records.
pub(crate) fn with_a_small_limit() {
    block_on(async {
        let namespace = fresh_namespace();
        for name in ["orders", "east.orders"] {
            make(format!("{namespace}{name}"), 2, ("max.message.bytes", "262144")).await;
        }
        let store = open_as(settings(&namespace).with_state_partitions(1)).await.unwrap();
        let writer = owner(&store, 1).await.unwrap();
        let sized = |number, bytes: usize| {
            let mut event: NewEvent = event(number);
            event.payload = vec![7; bytes].into();
            event
        };
        append(&writer, (0..300).map(|number| sized(number, 3_000)).collect()).await.unwrap();
        let batch = |number: u64| {
            let name = CursorName::new(format!("cursor-{number}")).unwrap();
            let cursor = Cursor { name, value: vec![9; 4_096].into() };
            OwnerBatch::new(own(), vec![event(number)]).with_cursor(cursor)
        };
        let mut waiting = tokio::task::JoinSet::new();
        let writer = Arc::new(writer);
        for number in 1_000..1_400 {
            let (writer, batch) = (Arc::clone(&writer), batch(number));
            waiting.spawn(async move { writer.append(batch).await });
        }
        while let Some(answer) = waiting.join_next().await {
            answer.unwrap().unwrap();
        }
        let end = store.end(&own()).await.unwrap();
        assert_eq!(end.prefix.count, 700);
        assert_eq!(store.cursor(&CursorName::new("cursor-1399").unwrap()).await.unwrap().unwrap().len(), 4_096);
        let above = sized(9_999, 300_000);
        assert_eq!(refused(append(&writer, vec![above]).await, ErrorKind::Invalid), "record-too-large");
        assert_eq!(store.sightings(own().scope(), 1, &[event_id(1_399)]).await.unwrap().len(), 1);
    });
}

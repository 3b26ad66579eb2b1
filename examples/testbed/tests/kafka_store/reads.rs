//! Reads beside writers and over restarts: a healthy log is never taken for a damaged one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dcp_core::clock::{Clock as _, SystemClock};
use dcp_core::event::NewEvent;
use dcp_core::ports::{EventSource as _, EventSourceExt as _};
use dcp_core::testing::fixtures::{event, event_id};
use dcp_core::{ErrorKind, Failure};

use crate::broker::{block_on, broker, fresh_namespace, make_topics, open};
use crate::steps::{Writer, append, ids, own, owner, read_all};

async fn append_until_answered(writer: &Writer, events: Vec<NewEvent>) {
    for _ in 0..200 {
        match append(writer, events.clone()).await {
            Ok(_) => return,
            Err(Failure::InDoubt(_)) => {}
            Err(Failure::NotApplied(error)) => assert_eq!(error.kind(), ErrorKind::Retry, "{error}"),
        }
        SystemClock::new().sleep(Duration::from_millis(20)).await;
    }
    panic!("no answer");
}

/// A writer that is idle while its broker dies, and the next leader epoch.
pub(crate) fn go_on_after_a_restart() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let store = open(&namespace).await.unwrap();
        let writer = owner(&store, 1).await.unwrap();
        for number in 1..=3 {
            append(&writer, vec![event(number)]).await.unwrap();
        }
        let position = store.end(&own()).await.unwrap().last.unwrap();
        tokio::task::block_in_place(|| {
            broker().kill().unwrap();
            broker().start().unwrap();
        });
        append_until_answered(&writer, vec![event(4)]).await;
        for _ in 0..2 {
            assert_eq!(store.end(&own()).await.unwrap().prefix.count, 4);
        }
        assert!(store.prefix(&own(), 3).await.unwrap().is_some());
        let mut rest = store.open_reader(&own(), dcp_core::ports::ReadFrom::After(position)).await.unwrap();
        assert_eq!(ids(&rest.next(10, Duration::ZERO).await.unwrap()), [event_id(4)]);
        append(&writer, vec![event(5)]).await.unwrap();
        assert_eq!(store.end(&own()).await.unwrap().prefix.count, 5);
    });
}

/// Ends, prefixes and fences asked for without a pause, while a log grows.
pub(crate) fn agree_while_a_log_grows() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let store = open(&namespace).await.unwrap();
        let writer = owner(&store, 1).await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let mut readers = tokio::task::JoinSet::new();
        for reader in 0..4 {
            let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
            readers.spawn(async move {
                let (mut rounds, mut last) = (0, 0);
                while !stop.load(Ordering::SeqCst) {
                    if reader == 3 {
                        store.fence(&own()).await.unwrap();
                    } else {
                        let count = store.end(&own()).await.unwrap().prefix.count;
                        assert!(count >= last, "{count} after {last}");
                        last = count;
                    }
                    rounds += 1;
                }
                rounds
            });
        }
        for number in 0..150 {
            let events = (0..3).map(|at| event(3 * number + at)).collect();
            let count = append(&writer, events).await.unwrap().prefix.count;
            // Its marker may still be on its way.
            for before in [1, 2] {
                assert_eq!(store.prefix(&own(), count - before).await.unwrap().unwrap().count, count - before);
            }
        }
        stop.store(true, Ordering::SeqCst);
        let mut rounds = 0;
        while let Some(done) = readers.join_next().await {
            rounds += done.unwrap();
        }
        println!("150 appends beside {rounds} reads");
        assert_eq!(read_all(&*store, &own()).await.len(), 450);
    });
}

//! Who may write: ids taken by mistake, openers that race, openings that come half way.

use std::time::Duration;

use dcp_core::ErrorKind;
use dcp_core::Failure;
use dcp_core::clock::{Clock as _, SystemClock};
use dcp_core::kafka::batch::encode;
use dcp_core::kafka::{Outcome, Produce};
use dcp_core::log::LogId;
use dcp_core::ports::{EventSourceExt as _, EventStore as _, OwnerBatch, WriterRole};
use dcp_core::testing::fixtures::{event, event_id, orders, west};

use crate::broker::{PARTITIONS, block_on, client, fresh_namespace, make_topics, open, open_as, settings};
use crate::steps::{append, grant, ids, own, owner, place, plain, read_all, refused};

/// Its id is taken by somebody who has no right to the log: an opener that came too late, or a stale writer
/// that renews. The rightful writer is told that it was fenced, and goes on.
pub(crate) fn survive_a_stolen_id() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let store = open(&namespace).await.unwrap();
        let writer = owner(&store, 1).await.unwrap();
        let (client, id) = (client(), format!("{namespace}dcp.west.owner.orders@west/1"));
        for number in 1..=3 {
            append(&writer, vec![event(number)]).await.unwrap();
            client.init_producer(Some(&id), Duration::from_secs(60), None).await.unwrap();
            let lost = append(&writer, vec![event(number + 1)]).await;
            assert_eq!(refused(lost, ErrorKind::Retry), "transaction-lost");
            // Also a batch that writes nothing.
            client.init_producer(Some(&id), Duration::from_secs(60), None).await.unwrap();
            assert_eq!(refused(append(&writer, vec![event(number)]).await, ErrorKind::Retry), "transaction-lost");
            append(&writer, vec![event(number)]).await.unwrap();
        }
        append(&writer, vec![event(4)]).await.unwrap();
        assert_eq!(ids(&read_all(&*store, &own()).await), (1..=4).map(event_id).collect::<Vec<_>>());
        // Once the log is another's, it does not come back, whoever takes the id meanwhile.
        let other = open(&namespace).await.unwrap();
        other.seal(&[own()], &grant(2)).await.unwrap();
        client.init_producer(Some(&id), Duration::from_secs(60), None).await.unwrap();
        refused(append(&writer, vec![event(5)]).await, ErrorKind::Fenced);
        refused(append(&writer, vec![event(5)]).await, ErrorKind::Fenced);
        let heir = owner(&other, 2).await.unwrap();
        append(&heir, vec![event(5)]).await.unwrap();
    });
}

/// Two that open at the same time: the higher grant has the log, and the lower does not disturb it for long.
pub(crate) fn are_won_by_the_higher_grant() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let (first, second) = (open(&namespace).await.unwrap(), open(&namespace).await.unwrap());
        for round in 1..=6_u64 {
            let (stale, rightful) = tokio::join!(owner(&first, 2 * round), owner(&second, 2 * round + 1));
            let rightful = rightful.unwrap();
            let mut answer = append(&rightful, vec![event(round)]).await;
            for _ in 0..3 {
                let Err(Failure::NotApplied(error)) = &answer else { break };
                assert_eq!(error.kind(), ErrorKind::Retry, "{error}");
                answer = append(&rightful, vec![event(round)]).await;
            }
            answer.unwrap();
            match stale {
                Ok(writer) => {
                    // Overtaken in the middle of it, it may be told to try again before it is told why.
                    let mut answer = append(&writer, vec![event(100)]).await;
                    if matches!(&answer, Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Retry) {
                        answer = append(&writer, vec![event(100)]).await;
                    }
                    drop(refused(answer, ErrorKind::Fenced));
                }
                Err(Failure::NotApplied(error)) => assert_eq!(error.kind(), ErrorKind::Fenced, "{error}"),
                Err(doubt @ Failure::InDoubt(_)) => panic!("{doubt}"),
            }
        }
        // A commit is answered a moment before its marker is where another process reads.
        let mut ends = first.end(&own()).await.unwrap();
        for _ in 0..100 {
            if ends.prefix.count == 6 {
                break;
            }
            SystemClock::new().sleep(Duration::from_millis(20)).await;
            ends = first.end(&own()).await.unwrap();
        }
        assert_eq!(ends.prefix.count, 6);
    });
}

/// Once a predecessor is fenced, an opening that cannot be finished is in doubt.
pub(crate) fn are_in_doubt_once_the_fence_is_raised() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let store = open_as(settings(&namespace).with_deadline(Duration::from_millis(500))).await.unwrap();
        let (client, id) = (client(), format!("{namespace}somebody"));
        let session = client.init_producer(Some(&id), Duration::from_secs(60), None).await.unwrap();
        let batch = encode(&[plain(Some("a"), Some("open"))], session, 0, true).unwrap();
        let produce = Produce::new(vec![(place(&format!("{namespace}orders")), batch.into())]);
        client.produce(produce.with_transactional_id(id.as_str())).await.unwrap();
        let opened = owner(&store, 3).await;
        assert!(matches!(opened, Err(Failure::InDoubt(_))), "{opened:?}");
        let sealed = store.seal(&[own()], &grant(4)).await;
        assert!(matches!(sealed, Err(Failure::InDoubt(_))), "{sealed:?}");
        assert_eq!(refused(owner(&store, 3).await, ErrorKind::Fenced), "stale");
        client.end_transaction(&id, session, Outcome::Abort).await.unwrap();
        let writer = owner(&store, 4).await.unwrap();
        // The other's marker may land behind what the opening has read.
        if let Err(Failure::NotApplied(error)) = append(&writer, vec![event(1)]).await {
            assert_eq!(error.code(), "foreign-writer");
            append(&writer, vec![event(1)]).await.unwrap();
        }
        assert_eq!(store.end(&own()).await.unwrap().prefix.count, 1);
    });
}

/// Many logs at once, each with its own fence and writer; sealed again at once.
pub(crate) fn are_had_of_many_logs_at_once() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let store = open(&namespace).await.unwrap();
        let logs: Vec<_> = (0..u32::try_from(PARTITIONS).unwrap()).map(|at| LogId::new(orders(), west(), at)).collect();
        let began = SystemClock::new().now();
        let writer = store.open_writer(&logs, WriterRole::Owner(grant(1))).await.unwrap();
        println!("{} logs opened in {:?}", logs.len(), SystemClock::new().now().since(began));
        for log in &logs {
            writer.append(OwnerBatch::new(log.clone(), vec![event(1)])).await.unwrap();
        }
        let cut = store.seal(&logs, &grant(2)).await.unwrap();
        assert!(logs.iter().all(|log| cut.get(log).unwrap().prefix.count == 1));
        for log in &logs {
            refused(writer.append(OwnerBatch::new(log.clone(), vec![event(2)])).await, ErrorKind::Fenced);
        }
    });
}

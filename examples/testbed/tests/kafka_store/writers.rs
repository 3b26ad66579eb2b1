//! Writers of several processes: here, stores over clients of their own.

use std::time::Duration;

use dcp_core::ErrorKind;
use dcp_core::clock::{Clock as _, SystemClock};
use dcp_core::event::{NewEvent, StreamId, Version};
use dcp_core::ids::LinkId;
use dcp_core::kafka::batch::encode;
use dcp_core::kafka::{Outcome, Produce};
use dcp_core::ports::{CopyBatch, EventSource as _, EventSourceExt as _, EventStore as _, ReadFrom, WriterRole};
use dcp_core::position::PrefixDigest;
use dcp_core::testing::fixtures::{east, event, event_id, partition_log, record};

use crate::broker::{block_on, client, fresh_namespace, make_topics, open, open_as, settings};
use crate::steps::{append, grant, ids, own, owner, place, plain, read_all, refused};

/// A writer that was overtaken by another process, and an opener that comes too late.
pub(crate) fn overtaken() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let (first, second) = (open(&namespace).await.unwrap(), open(&namespace).await.unwrap());
        let old = owner(&first, 1).await.unwrap();
        append(&old, vec![event(1)]).await.unwrap();
        let new = owner(&second, 1).await.unwrap();
        assert_eq!(refused(append(&old, vec![event(2)]).await, ErrorKind::Fenced), "newer-writer");
        append(&new, vec![event(2).expecting(Version::new(1))]).await.unwrap();
        // A batch that writes nothing is refused as well.
        refused(append(&old, vec![event(1)]).await, ErrorKind::Fenced);
        // Sealed by a third process; whoever comes with an older grant disturbs nobody.
        drop(owner(&first, 3).await.unwrap());
        let rightful = owner(&second, 3).await.unwrap();
        refused(owner(&first, 2).await, ErrorKind::Fenced);
        refused(append(&new, vec![event(3)]).await, ErrorKind::Fenced);
        append(&rightful, vec![event(3)]).await.unwrap();
        // Sealed again in its own epoch, the rightful writer goes on, as after an election.
        let cut = first.seal(&[own()], &grant(3)).await.unwrap();
        assert_eq!(cut.get(&own()).unwrap().prefix.count, 3);
        append(&rightful, vec![event(4)]).await.unwrap();
        first.seal(&[own()], &grant(4)).await.unwrap();
        refused(append(&rightful, vec![event(5)]).await, ErrorKind::Fenced);
        assert_eq!(ids(&read_all(&*first, &own()).await), (1..=4).map(event_id).collect::<Vec<_>>());
        assert_eq!(first.end(&own()).await.unwrap(), second.end(&own()).await.unwrap());
    });
}

/// Ids that a link in another process has just copied.
pub(crate) fn mirrored_elsewhere() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let lag = Duration::from_millis(400);
        let here = open_as(settings(&namespace).with_mirror_lag(lag)).await.unwrap();
        let elsewhere = open(&namespace).await.unwrap();
        let writer = owner(&here, 1).await.unwrap();
        let mirror = partition_log(&east(), 1);
        let role = WriterRole::Mirror(LinkId::new("east-to-west").unwrap());
        let link = elsewhere.open_writer(std::slice::from_ref(&mirror), role).await.unwrap();
        let copied = vec![record(1, 1, 1), record(2, 1, 2)];
        link.copy(CopyBatch::new(mirror.clone(), PrefixDigest::EMPTY, copied)).await.unwrap();
        SystemClock::new().sleep(lag).await;
        let answer = append(&writer, vec![event(2), event(3)]).await.unwrap();
        assert_eq!(answer.acks.iter().map(|ack| ack.existing).collect::<Vec<_>>(), [true, false]);
        assert_eq!(answer.acks[0].log, mirror);
        // A question for ids waits for nothing but the answer.
        link.copy(CopyBatch::new(mirror.clone(), here.end(&mirror).await.unwrap().prefix, vec![record(9, 1, 3)]))
            .await
            .unwrap();
        assert_eq!(here.sightings(own().scope(), 1, &[event_id(9)]).await.unwrap().len(), 1);
    });
}

/// Aborted and undecided transactions of somebody else, in the store's own topic.
pub(crate) fn undecided_and_aborted() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let store = open_as(settings(&namespace).with_deadline(Duration::from_millis(500))).await.unwrap();
        let writer = owner(&store, 1).await.unwrap();
        append(&writer, vec![event(1)]).await.unwrap();
        let (client, topic) = (client(), format!("{namespace}orders"));
        let id = format!("{namespace}somebody");
        let session = client.init_producer(Some(&id), Duration::from_secs(60), None).await.unwrap();
        let batch = encode(&[plain(Some("a"), Some("aborted"))], session, 0, true).unwrap();
        let produce = Produce::new(vec![(place(&topic), batch.into())]).with_transactional_id(id.as_str());
        client.produce(produce).await.unwrap();
        // Nobody can say yet whether the next record is the second or the third.
        refused(append(&writer, vec![event(2)]).await, ErrorKind::Retry);
        refused(append(&writer, vec![event(2)]).await, ErrorKind::Retry);
        assert_eq!(ids(&read_all(&*store, &own()).await), [event_id(1)]);
        client.end_transaction(&id, session, Outcome::Abort).await.unwrap();
        append(&writer, vec![event(2)]).await.unwrap();
        append(&writer, vec![event(3)]).await.unwrap();
        let all = read_all(&*store, &own()).await;
        assert_eq!(ids(&all), (1..=3).map(event_id).collect::<Vec<_>>());
        let mut rest = store.open_reader(&own(), ReadFrom::After(all[0].position)).await.unwrap();
        assert_eq!(ids(&rest.next(10, Duration::ZERO).await.unwrap()), [event_id(2), event_id(3)]);
        // Opened anew, it is folded the same.
        let again = open(&namespace).await.unwrap();
        assert_eq!(again.end(&own()).await.unwrap(), store.end(&own()).await.unwrap());
    });
}

/// Many records, so that a log has more than one place to begin at, read by another process.
pub(crate) fn many() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let store = open(&namespace).await.unwrap();
        let writer = owner(&store, 1).await.unwrap();
        let event = |number: u64| {
            NewEvent::new(event_id(number), StreamId::new(format!("s{}", number % 7)), "n", vec![7; 2_000].into())
        };
        let mut answered = Vec::new();
        for first in (0..3_000).step_by(1_000) {
            answered.extend(append(&writer, (first..first + 1_000).map(event).collect()).await.unwrap().acks);
        }
        for store in [store, open(&namespace).await.unwrap()] {
            let all = read_all(&*store, &own()).await;
            assert_eq!(ids(&all), (0..3_000).map(event_id).collect::<Vec<_>>());
            let mut computed = PrefixDigest::EMPTY;
            for (placed, ack) in all.iter().zip(&answered) {
                assert_eq!((placed.position, placed.record.version), (ack.position, ack.version));
                computed = computed.then(&placed.record.digest());
                if [1, 255, 256, 257, 1_000, 2_999, 3_000].contains(&computed.count) {
                    assert_eq!(store.prefix(&own(), computed.count).await.unwrap(), Some(computed));
                }
            }
            for after in [0_usize, 254, 255, 256, 1_500, 2_998] {
                let mut reader = store.open_reader(&own(), ReadFrom::After(all[after].position)).await.unwrap();
                assert_eq!(reader.next(1, Duration::ZERO).await.unwrap(), [all[after + 1].clone()], "after {after}");
            }
        }
    });
}

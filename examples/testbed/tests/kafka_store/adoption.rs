//! Topics that others wrote.

use std::time::Duration;

use dcp_core::ErrorKind;
use dcp_core::event::{NewEvent, StreamId, Version};
use dcp_core::ids::LinkId;
use dcp_core::ownership::Epoch;
use dcp_core::ports::{CopyBatch, EventSource as _, EventSourceExt as _, EventStore as _, ReadFrom, WriterRole};
use dcp_core::position::PrefixDigest;
use dcp_core::store::kafka::KafkaEventSettings;
use dcp_core::testing::fixtures::{east, event_id, orders, west};

use crate::broker::{block_on, client, fresh_namespace, make_topics, open, open_as};
use crate::steps::{append, own, owner, plain, produce, read_all, refused};

/// Read, mirrored, continued by the store, and by its old producer once more.
pub(crate) fn adopted() {
    block_on(async {
        let namespace = fresh_namespace();
        make_topics(&namespace).await;
        let (client, topic) = (client(), format!("{namespace}orders"));
        let old =
            [plain(Some("a"), Some("1")), plain(Some("b"), Some("2")), plain(Some("a"), None), plain(None, Some("4"))];
        produce(&client, &topic, &old).await;
        let store = open(&namespace).await.unwrap();
        let read = read_all(&*store, &own()).await;
        let shown: Vec<_> = read
            .iter()
            .map(|placed| {
                let record = &placed.record;
                assert_eq!((record.epoch, record.headers.len()), (Epoch::NONE, 1));
                (record.stream.as_str().to_owned(), record.version.get(), record.event_type.to_string())
            })
            .collect();
        let expected = [
            ("a", 1, "kafka.record"),
            ("b", 1, "kafka.record"),
            ("a", 2, "kafka.tombstone"),
            ("kafka.without-key", 1, "kafka.record"),
        ];
        assert_eq!(shown, expected.map(|(stream, version, kind)| (stream.to_owned(), version, kind.to_owned())));
        assert_eq!(open(&namespace).await.unwrap().end(&own()).await.unwrap(), store.end(&own()).await.unwrap());
        continued(&namespace).await;
        mirrored(&namespace).await;
    });
}

async fn continued(namespace: &str) {
    let (client, topic) = (client(), format!("{namespace}orders"));
    let store = open(namespace).await.unwrap();
    let writer = owner(&store, 1).await.unwrap();
    let sold = |number| NewEvent::new(event_id(number), StreamId::new("a"), "sold", "x".into());
    append(&writer, vec![sold(1).expecting(Version::new(2)), sold(2)]).await.unwrap();
    let mut tail =
        store.open_reader(&own(), ReadFrom::After(read_all(&*store, &own()).await[5].position)).await.unwrap();
    // The old producer goes on. The append that it disturbs is refused once, and then counts with it.
    produce(&client, &topic, &[plain(Some("a"), Some("again"))]).await;
    assert_eq!(refused(append(&writer, vec![sold(3)]).await, ErrorKind::Retry), "foreign-writer");
    refused(append(&writer, vec![sold(3).expecting(Version::new(4))]).await, ErrorKind::Conflict);
    append(&writer, vec![sold(3).expecting(Version::new(5))]).await.unwrap();
    // A reader that began behind the adopted part counts their versions all the same.
    let mut came = Vec::new();
    while came.len() < 2 {
        came.extend(tail.next(10, Duration::from_secs(2)).await.unwrap());
    }
    assert_eq!(came.iter().map(|placed| placed.record.version.get()).collect::<Vec<_>>(), [5, 6]);
    assert_eq!(came, read_all(&*store, &own()).await[6..]);
    let prefix = store.prefix(&own(), 3).await.unwrap().unwrap();
    let folded = read_all(&*store, &own()).await;
    let computed = folded[..3].iter().fold(PrefixDigest::EMPTY, |prefix, placed| prefix.then(&placed.record.digest()));
    assert_eq!(prefix, computed);
}

// To the store of the other region, in a namespace of its own.
async fn mirrored(namespace: &str) {
    let source = open(namespace).await.unwrap();
    let records: Vec<_> = read_all(&*source, &own()).await.into_iter().map(|placed| placed.record).collect();
    let target = fresh_namespace();
    for name in ["orders", "west.orders"] {
        crate::broker::make_topic(&format!("{target}{name}"), 2).await;
    }
    let settings = KafkaEventSettings::new(east()).with_scope(orders()).with_peers([west()]).with_namespace(&target);
    let store = open_as(settings).await.unwrap();
    let role = WriterRole::Mirror(LinkId::new("west-to-east").unwrap());
    let link = store.open_writer(&[own()], role).await.unwrap();
    link.copy(CopyBatch::new(own(), PrefixDigest::EMPTY, records)).await.unwrap();
    assert_eq!(store.end(&own()).await.unwrap().prefix, source.end(&own()).await.unwrap().prefix);
    let position = store.end(&own()).await.unwrap().last.unwrap();
    let mut end = store.open_reader(&own(), ReadFrom::After(position)).await.unwrap();
    assert!(end.next(1, Duration::ZERO).await.unwrap().is_empty());
}

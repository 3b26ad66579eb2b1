//! Every call, once, on a broker that nothing happens to.

use std::time::Duration;

use dcp_core::ErrorKind;
use dcp_core::kafka::{
    FetchFrom, FetchRequest, Isolation, KafkaClient, NewTopic, OffsetAt, Outcome, Produce, TopicPartition,
};

use crate::broker::{self, NOBODY, at, batch, block_on, name, plain, topic, values};

const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn topics_and_offsets() {
    block_on(async {
        let client = plain(&broker::shared());
        let cluster = client.cluster().await.unwrap();
        assert!(!cluster.id.is_empty() && cluster.brokers.len() == 1 && cluster.controller.is_some(), "{cluster:?}");

        let (orders, id) = topic(&client, "orders", 3).await;
        let again = client.create_topics(&[NewTopic::new(orders.clone(), 3, 1)]).await.unwrap();
        assert_eq!(again[&orders].as_ref().unwrap_err().code(), "topic-exists");
        let partitions: Vec<_> = (0..3).map(|number| at(&orders, number)).collect();
        let offsets = client.offsets(&partitions, OffsetAt::HighWatermark).await.unwrap();
        assert!(offsets.len() == 3 && offsets.values().all(|found| found.offset == 0), "{offsets:?}");

        let missing = name("missing");
        let found = client.topics(Some(&[orders.clone(), missing.clone()])).await.unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), [&orders]);
        assert_eq!((found[&orders].id, found[&orders].partitions.len()), (id, 3));
        assert!(client.topics(None).await.unwrap().contains_key(&orders));
        let none = client.offsets(&[at(&missing, 0)], OffsetAt::LogStart).await.unwrap_err();
        assert_eq!((none.kind(), none.code()), (ErrorKind::Invalid, "no-topic"), "{none}");

        let written = produce(&client, &at(&orders, 1), &["a", "b"]).await;
        assert_eq!(written, 0);
        let ends = client.epoch_ends(&[(at(&orders, 1), 0)]).await.unwrap();
        assert_eq!(ends[&at(&orders, 1)].end_offset, Some(2), "{ends:?}");
        let end = client.offsets(&[at(&orders, 1)], OffsetAt::LastStable).await.unwrap();
        assert_eq!(end[&at(&orders, 1)].offset, 2);

        let gone = client.delete_topics(&[orders.clone(), missing.clone()]).await.unwrap();
        assert!(gone[&orders].is_ok(), "{gone:?}");
        assert_eq!(gone[&missing].as_ref().unwrap_err().code(), "no-topic");
    });
}

async fn produce(client: &KafkaClient, to: &TopicPartition, values: &[&str]) -> i64 {
    let written = client.produce(Produce::new(vec![(to.clone(), batch(NOBODY, -1, false, values).into())])).await;
    written.unwrap()[to].clone().unwrap().base_offset
}

async fn read(client: &KafkaClient, from: &TopicPartition, offset: i64, isolation: Isolation) -> Vec<String> {
    let request = FetchRequest::new(vec![FetchFrom::new(from.clone(), offset)]).with_isolation(isolation);
    let fetched = client.fetch(request).await.unwrap().remove(0).result.unwrap();
    values(fetched.records).into_iter().map(|(_, _, value)| value).collect()
}

pub(crate) fn producers_and_readers() {
    block_on(async {
        let client = plain(&broker::shared());
        let (orders, _) = topic(&client, "orders", 2).await;
        let (zero, one) = (at(&orders, 0), at(&orders, 1));
        let session = client.init_producer(None, TIMEOUT, None).await.unwrap();
        let both = vec![
            (zero.clone(), batch(session, 0, false, &["a", "b"]).into()),
            (one.clone(), batch(session, 0, false, &["c"]).into()),
        ];
        let first = client.produce(Produce::new(both.clone())).await.unwrap();
        let second = client.produce(Produce::new(both)).await.unwrap();
        assert_eq!(first, second, "a batch sent twice is there once");
        assert_eq!(read(&client, &zero, 0, Isolation::ReadUncommitted).await, ["a", "b"]);
        assert_eq!(read(&client, &one, 0, Isolation::ReadCommitted).await, ["c"]);

        // A long poll is woken by a record, and holds nobody up.
        let reader = client.fetch_session();
        let poll = FetchRequest::new(vec![FetchFrom::new(zero.clone(), 2)]).with_max_wait(Duration::from_secs(20));
        let (polled, ()) = tokio::join!(reader.fetch(poll), async {
            tokio::task::yield_now().await;
            produce(&client, &zero, &["d"]).await;
        });
        assert_eq!(values(polled.unwrap().remove(0).result.unwrap().records).len(), 1);

        let beyond = FetchRequest::new(vec![FetchFrom::new(zero.clone(), 99), FetchFrom::new(one.clone(), 0)]);
        let found = client.fetch(beyond).await.unwrap();
        let error = found[0].result.as_ref().unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Corrupt, "offset-out-of-range"));
        assert!(found[1].result.is_ok());
    });
}

pub(crate) fn transactions() {
    block_on(async {
        let client = plain(&broker::shared());
        let (orders, _) = topic(&client, "orders", 1).await;
        let (to, id) = (at(&orders, 0), name("writer"));
        let first = client.init_producer(Some(&id), TIMEOUT, None).await.unwrap();
        let write = async |session, value: &str| {
            let batch = batch(session, 0, true, &[value]);
            let produce = Produce::new(vec![(to.clone(), batch.into())]).with_transactional_id(id.clone());
            client.produce(produce).await.unwrap()[&to].clone()
        };
        write(first, "committed").await.unwrap();
        let second = client.end_transaction(&id, first, Outcome::Commit).await.unwrap();
        assert_eq!((second.producer_id, second.epoch), (first.producer_id, first.epoch + 1));
        // Asked again, the coordinator answers alike.
        assert_eq!(client.end_transaction(&id, first, Outcome::Commit).await.unwrap(), second);
        write(second, "aborted").await.unwrap();
        let third = client.end_transaction(&id, second, Outcome::Abort).await.unwrap();
        write(third, "open").await.unwrap();

        // The coordinator answers before the partition's leader has written the marker.
        let (found, seen) = loop {
            let request = FetchRequest::new(vec![FetchFrom::new(to.clone(), 0)]);
            let found = client.fetch(request).await.unwrap().remove(0).result.unwrap();
            let seen: Vec<_> = values(found.records.clone()).into_iter().map(|(_, _, value)| value).collect();
            if seen.len() >= 2 {
                break (found, seen);
            }
        };
        assert_eq!(seen, ["committed", "aborted"], "the open one is not there");
        assert_eq!(found.aborted.len(), 1);
        assert_eq!((found.aborted[0].producer_id, found.aborted[0].first_offset), (first.producer_id, 2));

        // A successor takes the id, and aborts what was open.
        let successor = client.init_producer(Some(&id), TIMEOUT, None).await.unwrap();
        assert!(successor.epoch > third.epoch);
        let fenced = write(third, "late").await.unwrap_err();
        assert_eq!(fenced.not_applied().unwrap().kind(), ErrorKind::Fenced, "{fenced}");
        let fenced = client.end_transaction(&id, third, Outcome::Commit).await.unwrap_err();
        assert_eq!(fenced.not_applied().unwrap().kind(), ErrorKind::Fenced, "{fenced}");
        let fenced = client.init_producer(Some(&id), TIMEOUT, Some(third)).await.unwrap_err();
        assert_eq!(fenced.not_applied().unwrap().kind(), ErrorKind::Fenced, "{fenced}");
        let renewed = client.init_producer(Some(&id), TIMEOUT, Some(successor)).await.unwrap();
        assert!(renewed.epoch > successor.epoch);
    });
}

//! A connection that ends at any byte of a request or of an answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dcp_core::kafka::{
    FetchFrom, FetchRequest, Isolation, KafkaClient, NewTopic, OffsetAt, Outcome, Produce, ProducerSession,
    TopicPartition,
};
use dcp_core::{ErrorKind, Failure};

use crate::broker::{NOBODY, at, batch, block_on, name, plain, topic, values};
use crate::cutter::{Cutter, Frame};

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const METADATA: i16 = 3;
const LIST_OFFSETS: i16 = 2;
const FIND_COORDINATOR: i16 = 10;
const API_VERSIONS: i16 = 18;
const CREATE_TOPICS: i16 = 19;
const INIT_PRODUCER: i16 = 22;
const END_TRANSACTION: i16 = 26;

struct Cut {
    cutter: Cutter,
    client: KafkaClient,
}

async fn cut() -> Cut {
    let address = &testbed::shared("kafka").unwrap()[0];
    let cutter = Cutter::start(address.ports["front"], address.ports["proxied"]).await;
    Cut { cutter, client: plain(&address.ports["front"].to_string()) }
}

impl Cut {
    /// Runs `work` with the connection cut at each byte in turn; how often that was.
    async fn everywhere(&self, api: i16, mut work: impl AsyncFnMut(usize)) -> usize {
        let mut times = 0;
        for frame in [Frame::Request, Frame::Response] {
            for after in 0.. {
                self.cutter.order(api, frame, after);
                work(times).await;
                let length = self.cutter.cut().unwrap_or_else(|| panic!("{api} {frame:?} at {after} was not cut"));
                times += 1;
                if after >= length {
                    break;
                }
            }
        }
        times
    }
}

async fn all(client: &KafkaClient, from: &TopicPartition) -> Vec<String> {
    let end = client.offsets(std::slice::from_ref(from), OffsetAt::LastStable).await.unwrap()[from].offset;
    let (mut offset, mut found) = (0, Vec::new());
    while offset < end {
        let request = FetchRequest::new(vec![FetchFrom::new(from.clone(), offset)])
            .with_isolation(Isolation::ReadCommitted)
            .with_max_wait(Duration::from_millis(200));
        let read = client.fetch(request).await.unwrap().remove(0).result.unwrap();
        let Some((last, ..)) = values(read.records.clone()).last().cloned() else { break };
        found.extend(values(read.records).into_iter().filter(|(at, ..)| *at >= offset).map(|(_, _, value)| value));
        offset = last + 1;
    }
    found
}

fn times(found: Vec<String>) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    found.into_iter().for_each(|value| *times.entry(value).or_insert(0) += 1);
    times
}

pub(crate) fn reads() {
    block_on(async {
        let cut = cut().await;
        let (orders, _) = topic(&cut.client, "orders", 1).await;
        let from = at(&orders, 0);
        cut.client.produce(Produce::new(vec![(from.clone(), batch(NOBODY, -1, false, &["a"]).into())])).await.unwrap();
        let mut cuts = 0;
        cuts += cut
            .everywhere(METADATA, async |_| {
                assert!(cut.client.topics(Some(std::slice::from_ref(&orders))).await.unwrap().contains_key(&orders));
            })
            .await;
        cuts += cut
            .everywhere(LIST_OFFSETS, async |_| {
                let found = cut.client.offsets(std::slice::from_ref(&from), OffsetAt::HighWatermark).await.unwrap();
                assert_eq!(found[&from].offset, 1);
            })
            .await;
        cuts += cut
            .everywhere(FETCH, async |_| {
                let request = FetchRequest::new(vec![FetchFrom::new(from.clone(), 0)]);
                let read = cut.client.fetch(request).await.unwrap().remove(0).result.unwrap();
                assert_eq!(values(read.records).len(), 1);
            })
            .await;
        cuts += cut
            .everywhere(API_VERSIONS, async |_| {
                // A session of its own: it opens its connection first.
                let request = FetchRequest::new(vec![FetchFrom::new(from.clone(), 0)]);
                let read = cut.client.fetch_session().fetch(request).await.unwrap().remove(0).result.unwrap();
                assert_eq!(values(read.records).len(), 1);
            })
            .await;
        eprintln!("{cuts} cuts in reads");
    });
}

pub(crate) fn idempotent_writes() {
    block_on(async {
        let cut = cut().await;
        let (orders, _) = topic(&cut.client, "orders", 1).await;
        let to = at(&orders, 0);
        let session = cut.client.init_producer(None, Duration::from_secs(60), None).await.unwrap();
        let cuts = cut
            .everywhere(PRODUCE, async |number| {
                let batch = batch(session, i32::try_from(number).unwrap(), false, &[&number.to_string()]);
                let outcome = cut.client.produce(Produce::new(vec![(to.clone(), batch.into())])).await.unwrap();
                assert_eq!(outcome[&to].as_ref().unwrap().base_offset, i64::try_from(number).unwrap());
            })
            .await;
        let found: Vec<_> = all(&cut.client, &to).await;
        assert_eq!(found, (0..cuts).map(|number| number.to_string()).collect::<Vec<_>>());
        eprintln!("{cuts} cuts in idempotent writes");
    });
}

pub(crate) fn plain_writes() {
    block_on(async {
        let cut = cut().await;
        let (orders, _) = topic(&cut.client, "orders", 1).await;
        let (to, mut told) = (at(&orders, 0), Vec::new());
        cut.everywhere(PRODUCE, async |number| {
            let batch = batch(NOBODY, -1, false, &[&number.to_string()]);
            let mut outcome = cut.client.produce(Produce::new(vec![(to.clone(), batch.into())])).await.unwrap();
            told.push(outcome.remove(&to).unwrap());
        })
        .await;
        let found = times(all(&cut.client, &to).await);
        let mut doubts = [0, 0];
        for (number, outcome) in told.iter().enumerate() {
            let there = found.get(&number.to_string()).copied().unwrap_or(0);
            match outcome {
                Ok(_) => assert_eq!(there, 1, "{number}"),
                Err(Failure::InDoubt(_)) => {
                    assert!(there <= 1, "{number}");
                    doubts[there] += 1;
                }
                Err(failure) => panic!("{number} was sent: {failure}"),
            }
        }
        assert!(doubts[0] > 0 && doubts[1] > 0, "some of those in doubt are there and some not: {doubts:?}");
        eprintln!("{} cuts in plain writes, in doubt and not there or there: {doubts:?}", told.len());
    });
}

pub(crate) fn transactions() {
    block_on(async {
        let cut = cut().await;
        let (orders, _) = topic(&cut.client, "orders", 1).await;
        let (to, id) = (at(&orders, 0), name("writer"));
        let begin = async || cut.client.init_producer(Some(&id), Duration::from_secs(60), None).await.unwrap();
        let mut session = begin().await;
        let (mut expected, mut number) = (Vec::new(), 0);
        for api in [PRODUCE, END_TRANSACTION] {
            cut.everywhere(api, async |_| {
                expected.push(number.to_string());
                session = transaction(&cut.client, &id, &to, session, number).await;
                number += 1;
            })
            .await;
        }
        let cuts = cut
            .everywhere(INIT_PRODUCER, async |_| {
                session = begin().await;
            })
            .await;
        // A new client asks for the coordinator first.
        let cuts = cuts
            + cut
                .everywhere(FIND_COORDINATOR, async |_| {
                    let address = testbed::shared("kafka").unwrap()[0].ports["front"].to_string();
                    let new = plain(&address);
                    session = new.init_producer(Some(&id), Duration::from_secs(60), None).await.unwrap();
                })
                .await;
        expected.push(number.to_string());
        transaction(&cut.client, &id, &to, session, number).await;
        assert_eq!(eventually(&cut.client, &to, expected.len()).await, expected);
        eprintln!("{} cuts in transactions", cuts + number);
    });
}

// The end of a transaction is answered before its marker is in the log.
async fn eventually(client: &KafkaClient, from: &TopicPartition, count: usize) -> Vec<String> {
    loop {
        let found = all(client, from).await;
        if found.len() >= count {
            return found;
        }
    }
}

async fn transaction(
    client: &KafkaClient,
    id: &Arc<str>,
    to: &TopicPartition,
    session: ProducerSession,
    number: usize,
) -> ProducerSession {
    let batch = batch(session, 0, true, &[&number.to_string()]);
    let produce = Produce::new(vec![(to.clone(), batch.into())]).with_transactional_id(Arc::clone(id));
    client.produce(produce).await.unwrap().remove(to).unwrap().unwrap();
    let next = client.end_transaction(id, session, Outcome::Commit).await.unwrap();
    assert_eq!(next.epoch, session.epoch + 1);
    next
}

pub(crate) fn new_topics() {
    block_on(async {
        let cut = cut().await;
        let mut told = BTreeMap::new();
        let cuts = cut
            .everywhere(CREATE_TOPICS, async |_| {
                let name = name("made");
                let made = cut.client.create_topics(&[NewTopic::new(Arc::clone(&name), 1, 1)]).await;
                let made = made.map(|mut made| made.remove(&name).unwrap().unwrap());
                told.insert(name, made);
            })
            .await;
        let names: Vec<_> = told.keys().cloned().collect();
        let there = cut.client.topics(Some(&names)).await.unwrap();
        for (name, outcome) in told {
            match outcome {
                Ok(id) => assert_eq!(there[&name].id, id),
                Err(Failure::InDoubt(doubt)) => assert_eq!(doubt.code(), "connection-lost"),
                Err(Failure::NotApplied(error)) => {
                    assert!(error.kind() == ErrorKind::Retry && !there.contains_key(&name), "{error}");
                }
            }
        }
        eprintln!("{cuts} cuts in new topics");
    });
}

//! Brokers that die, move, stop or never answer, and topics that are not what they were.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use dcp_core::ErrorKind;
use dcp_core::kafka::{
    FetchFrom, FetchRequest, Isolation, KafkaClient, KafkaSettings, NewTopic, OffsetAt, Outcome, Produce,
    TopicPartition,
};
use testbed::{Bed, Server, Wanted};
use tokio::net::TcpListener;

use crate::broker::{NOBODY, at, batch, block_on, client, name, plain, shared, topic, values};

const DEADLINE: Duration = Duration::from_secs(120);
const WRITERS: usize = 4;
const DEATHS: usize = 5;

fn patient(addresses: Vec<String>) -> KafkaClient {
    client(KafkaSettings::new(addresses).with_deadline(DEADLINE))
}

// Commits one value after the other until told to stop. Those that were answered.
async fn write(client: &KafkaClient, to: &TopicPartition, stop: &AtomicBool, done: &AtomicUsize) -> Vec<String> {
    let (id, mut told) = (name("writer"), Vec::new());
    let mut session = client.init_producer(Some(&id), DEADLINE, None).await.unwrap();
    while !stop.load(Ordering::SeqCst) {
        let value = told.len().to_string();
        let produce = Produce::new(vec![(to.clone(), batch(session, 0, true, &[&value]).into())]);
        client.produce(produce.with_transactional_id(id.clone())).await.unwrap()[to].as_ref().unwrap();
        session = client.end_transaction(&id, session, Outcome::Commit).await.unwrap();
        told.push(value);
        done.fetch_add(1, Ordering::SeqCst);
    }
    told
}

async fn read_all(client: &KafkaClient, from: &TopicPartition, count: usize) -> Vec<String> {
    let (mut offset, mut found) = (0, Vec::new());
    let session = client.fetch_session();
    while found.len() < count {
        let request = FetchRequest::new(vec![FetchFrom::new(from.clone(), offset)])
            .with_isolation(Isolation::ReadCommitted)
            .with_max_wait(Duration::from_secs(1));
        let read = session.fetch(request).await.unwrap().remove(0).result.unwrap();
        for (at, _, value) in values(read.records) {
            if at >= offset {
                offset = at + 1;
                found.push(value);
            }
        }
    }
    found
}

async fn while_written(client: &KafkaClient, to: &[TopicPartition], hurt: impl AsyncFnOnce(&AtomicUsize)) -> usize {
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let one = async |at: &TopicPartition| write(client, at, &stop, &done).await;
    let hurting = async {
        hurt(&done).await;
        stop.store(true, Ordering::SeqCst);
    };
    let (a, b, c, d, ()) = tokio::join!(one(&to[0]), one(&to[1]), one(&to[2]), one(&to[3]), hurting);
    let mut total = 0;
    for (at, told) in to.iter().zip([a, b, c, d]) {
        assert_eq!(read_all(client, at, told.len()).await, told, "{at}: each once, in order");
        total += told.len();
    }
    total
}

// Waits until so many more transactions are committed.
async fn more(done: &AtomicUsize, count: usize) {
    let goal = done.load(Ordering::SeqCst) + count;
    while done.load(Ordering::SeqCst) < goal {
        blocking(|| pause(10)).await;
    }
}

fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

async fn blocking(work: impl FnOnce() + Send + 'static) {
    tokio::task::spawn_blocking(work).await.unwrap();
}

pub(crate) fn deaths() {
    let bed = Bed::start(&Wanted::one("kafka"), &|line| eprintln!("testbed: {line}")).unwrap();
    let server = bed.server("kafka-a").unwrap();
    block_on(async {
        let client = patient(vec![server.address("plain").unwrap().to_string()]);
        let (orders, id) = topic(&client, "orders", 4).await;
        let to: Vec<_> = (0..WRITERS).map(|number| at(&orders, i32::try_from(number).unwrap())).collect();
        let total = while_written(&client, &to, async |done| {
            for _ in 0..DEATHS {
                more(done, 30).await;
                let server = server.clone();
                blocking(move || {
                    server.kill().unwrap();
                    pause(200);
                    server.start().unwrap();
                })
                .await;
            }
            more(done, 30).await;
        })
        .await;
        eprintln!("{total} transactions over {DEATHS} deaths");

        // The topic is made anew under its name.
        let epoch =
            client.topics(Some(std::slice::from_ref(&orders))).await.unwrap()[&orders].partitions[0].leader_epoch;
        assert!(epoch > 0);
        let end = client.offsets(&to[..1], OffsetAt::LastStable).await.unwrap()[&to[0]].offset;
        client.delete_topics(std::slice::from_ref(&orders)).await.unwrap()[&orders].as_ref().unwrap();
        let new = client.create_topics(&[NewTopic::new(orders.clone(), 4, 1)]).await.unwrap()[&orders].clone().unwrap();
        assert_ne!(new, id);
        let from = |epoch: Option<i32>| {
            let from = FetchFrom::new(to[0].clone(), end);
            vec![epoch.map_or(from.clone(), |epoch| from.with_current_leader_epoch(epoch))]
        };
        for (from, code) in [(from(Some(epoch)), "topic-recreated"), (from(None), "offset-out-of-range")] {
            let error = client.fetch(FetchRequest::new(from)).await.unwrap().remove(0).result.unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Corrupt, code), "{error}");
        }
        assert_eq!(client.log_identities(&to[..1]).await.unwrap()[&to[0]].topic_id, new);
    });
}

pub(crate) fn moves() {
    let bed = Bed::start(&Wanted::brokers(2), &|line| eprintln!("testbed: {line}")).unwrap();
    let addresses = bed.servers().iter().map(|server| server.address("plain").unwrap().to_string()).collect();
    // The first one is the controller and has to live.
    let second: std::sync::Arc<Server> = bed.server("kafka-a-2").unwrap();
    block_on(async {
        let client = patient(addresses);
        let orders = name("orders");
        client.create_topics(&[NewTopic::new(orders.clone(), 8, 2)]).await.unwrap()[&orders].as_ref().unwrap();
        let leader_of = async || {
            let topics = client.topics(Some(std::slice::from_ref(&orders))).await.unwrap();
            topics[&orders].partitions.iter().map(|partition| partition.leader).collect::<Vec<_>>()
        };
        while client.offsets(&[at(&orders, 7)], OffsetAt::LogStart).await.is_err() {}
        let leaders = leader_of().await;
        assert!(leaders.contains(&Some(2)) && leaders.contains(&Some(1)), "{leaders:?}");
        let of_second = (0..).zip(&leaders).filter(|(_, leader)| **leader == Some(2)).map(|(number, _)| number);
        let of_first = (0..).zip(&leaders).filter(|(_, leader)| **leader == Some(1)).map(|(number, _)| number);
        let to: Vec<_> = of_second.take(2).chain(of_first.take(2)).map(|number| at(&orders, number)).collect();
        let total = while_written(&client, &to, async |done| {
            more(done, 30).await;
            let server = second.clone();
            blocking(move || {
                server.kill().unwrap();
                pause(6_000);
            })
            .await;
            assert!(leader_of().await.iter().all(|leader| *leader == Some(1)));
            let server = second.clone();
            blocking(move || {
                server.start().unwrap();
            })
            .await;
            more(done, 30).await;
        })
        .await;
        eprintln!("{total} transactions over a leader's death");
    });
}

pub(crate) fn silence() {
    let bed = Bed::start(&Wanted::one("kafka"), &|line| eprintln!("testbed: {line}")).unwrap();
    let server = bed.server("kafka-a").unwrap();
    let address = server.address("plain").unwrap().to_string();
    let short = |addresses: Vec<String>| {
        let settings = KafkaSettings::new(addresses).with_deadline(Duration::from_secs(2));
        client(settings.with_request_deadline(Duration::from_millis(300)))
    };
    block_on(async {
        // A peer that accepts and never answers, and one that is not there.
        let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mute = (mute.local_addr().unwrap().to_string(), mute);
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
        for (peer, code) in [(&mute.0, "no-answer"), (&gone, "unreachable")] {
            let alone = short(vec![peer.clone()]);
            let asked = tokio::time::timeout(Duration::from_secs(3), alone.cluster());
            // It ends at the deadline.
            let error = asked.await.unwrap().unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Retry, code), "{error}");
            // Another broker answers in its place.
            let both = short(vec![peer.clone(), address.clone()]);
            assert!(!both.cluster().await.unwrap().id.is_empty());
        }
        // Also for a caller that gives up before the client does.
        let settings = KafkaSettings::new([mute.0.clone(), address.clone()]).with_deadline(Duration::from_secs(9));
        let both = client(settings);
        let patience = Duration::from_millis(500);
        assert!(tokio::time::timeout(patience, both.cluster()).await.is_err(), "the first one says nothing");
        assert!(!both.cluster().await.unwrap().id.is_empty(), "the other one answers");

        let client = short(vec![address]);
        let (orders, _) = topic(&client, "orders", 1).await;
        let to = at(&orders, 0);
        let session = client.init_producer(None, DEADLINE, None).await.unwrap();
        let send = async |batch: bytes::Bytes| {
            client.produce(Produce::new(vec![(to.clone(), batch.into())])).await.unwrap().remove(&to).unwrap()
        };
        send(batch(session, 0, false, &["a"])).await.unwrap();
        server.pause().unwrap();
        let doubt = send(batch(session, 1, false, &["b"])).await.unwrap_err();
        assert!(doubt.is_in_doubt(), "{doubt}");
        let doubt = send(batch(NOBODY, -1, false, &["c"])).await.unwrap_err();
        assert!(doubt.not_applied().is_some_and(|error| error.kind() == ErrorKind::Retry), "never sent: {doubt}");
        let error = client.topics(None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Retry, "{error}");
        server.resume().unwrap();
        assert_eq!(send(batch(session, 1, false, &["b"])).await.unwrap().base_offset, 1);
        assert_eq!(read_all(&client, &to, 2).await, ["a", "b"]);
    });
}

pub(crate) fn too_large() {
    block_on(async {
        let client = plain(&shared());
        let orders = name("orders");
        let new = NewTopic::new(orders.clone(), 1, 1).with_config("max.message.bytes", "1000");
        client.create_topics(&[new]).await.unwrap()[&orders].as_ref().unwrap();
        let to = at(&orders, 0);
        let large = batch(NOBODY, -1, false, &["x".repeat(2_000).as_str()]);
        let mut sent = client.produce(Produce::new(vec![(to.clone(), large.into())])).await.unwrap();
        let error = sent.remove(&to).unwrap().unwrap_err().not_applied().unwrap().clone();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "record-too-large"), "{error}");
        // The connection is as good as before.
        let small = batch(NOBODY, -1, false, &["x"]);
        client.produce(Produce::new(vec![(to.clone(), small.into())])).await.unwrap()[&to].as_ref().unwrap();
        let missing = at(&name("missing"), 0);
        let nowhere = batch(NOBODY, -1, false, &["x"]);
        let mut sent = client.produce(Produce::new(vec![(missing.clone(), nowhere.into())])).await.unwrap();
        let error = sent.remove(&missing).unwrap().unwrap_err().not_applied().unwrap().clone();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "no-topic"), "{error}");
        // Larger than what the client takes, it is not read.
        let tight = crate::broker::client(KafkaSettings::new([shared()]).with_frame_max(64 << 10));
        let (wide, _) = topic(&client, "wide", 1).await;
        let huge = batch(NOBODY, -1, false, &["x".repeat(100_000).as_str()]);
        client.produce(Produce::new(vec![(at(&wide, 0), huge.into())])).await.unwrap()[&at(&wide, 0)].as_ref().unwrap();
        let read = tight.fetch(FetchRequest::new(vec![FetchFrom::new(at(&wide, 0), 0)])).await.unwrap_err();
        assert_eq!((read.kind(), read.code()), (ErrorKind::Corrupt, "bad-frame"), "{read}");
    });
}

//! The broker's disk is full. Kafka's answer to that is to give its folder up, and with its only folder itself:
//! what the store is asked to keep for is everything that it answered, and that it goes on once there is room.

use std::sync::Arc;

use dcp_core::Failure;
use dcp_core::clock::{Entropy as _, SeededEntropy};
use dcp_core::event::{EventId, NewEvent, StreamId};
use dcp_core::kafka::NewTopic;
use testbed::{Bed, SMALL_DISKS, Server, Wanted};

use crate::broker::{block_on, client_of, create, open_at, settings};
use crate::steps::{Store, append, ids, own, owner, read_all};

pub(crate) const NEEDS: &[&str] = &["kafka", SMALL_DISKS];
const DISK: u64 = 192 << 20;
const BEFORE: u64 = 20;
/// Batches of 16 kB that a disk without room takes at most: what was reserved for its files before.
const TAKEN_MAX: u64 = 2_000;

fn id(number: u64) -> EventId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    EventId::from_bytes(bytes)
}

fn numbered(number: u64) -> NewEvent {
    // Nothing that anybody could make smaller.
    let drawn = SeededEntropy::new(number, "payload");
    let payload: Vec<u8> = (0..500).flat_map(|_| drawn.draw()).collect();
    NewEvent::new(id(number), StreamId::new("stream"), "counted", payload.into())
}

pub(crate) fn room() {
    let bed = Bed::start(&Wanted::one("kafka").with_disks_of(DISK), &|line| eprintln!("  {line}")).unwrap();
    let server = bed.server("kafka-a").unwrap();
    block_on(run(&server));
}

async fn opened(server: &Server) -> Store {
    let client = client_of(&server.address("plain").unwrap().to_string());
    open_at(client, settings("full.")).await.unwrap()
}

async fn run(server: &Arc<Server>) {
    let client = client_of(&server.address("plain").unwrap().to_string());
    for name in ["full.orders", "full.east.orders"] {
        create(&client, NewTopic::new(name, 2, 1).with_config("retention.ms", "-1")).await;
    }
    let store = opened(server).await;
    let writer = owner(&store, 1).await.unwrap();
    for number in 0..BEFORE {
        append(&writer, vec![numbered(number)]).await.unwrap();
    }
    tokio::task::block_in_place(|| server.fill_disk().unwrap());
    let mut answered = BEFORE;
    let failure = loop {
        match append(&writer, vec![numbered(answered)]).await {
            Ok(_) => answered += 1,
            Err(failure) => break failure,
        }
        assert!(answered < TAKEN_MAX, "the disk is never full");
    };
    println!("  {answered} events answered, then: {failure}");
    let may_be_there = matches!(failure, Failure::InDoubt(_));
    drop((writer, store));

    tokio::task::block_in_place(|| {
        server.free_disk().unwrap();
        // The broker has ended by itself, or does so once it looks at its folder again.
        if server.pid().is_some() {
            server.kill().unwrap();
        }
        server.start().unwrap();
    });
    let store = opened(server).await;
    let held = ids(&read_all(&*store, &own()).await);
    let expected: Vec<_> = (0..answered + u64::from(may_be_there && held.len() as u64 > answered)).map(id).collect();
    assert_eq!(held, expected, "answered {answered}");
    // The same event again, and one more: there once, in order.
    let writer = owner(&store, 2).await.unwrap();
    for number in [answered, answered + 1] {
        append(&writer, vec![numbered(number)]).await.unwrap();
    }
    assert_eq!(ids(&read_all(&*store, &own()).await), (0..answered + 2).map(id).collect::<Vec<_>>());
}

//! Two processes that take turns at one log: each remembers it as it left it, and neither writes behind
//! what it remembers once the other has written, opened or sealed.

use dcp_core::event::{NewEvent, StreamId, Version};
use dcp_core::ports::{EventSource as _, EventStore as _, EventWriter, OwnerBatch, WriterRole};
use dcp_core::position::PrefixDigest;
use dcp_core::store::postgres::PostgresEventStore;
use dcp_core::testing::fixtures::{TwoRegions, orders, slice_a, west};
use dcp_core::{ErrorKind, Failure};

use crate::events::{assert_holds, batch, id, log, owner};
use crate::server::{block_on, fresh_schema, open};

pub(crate) fn taken() {
    block_on(run());
}

// All of one stream, so that a version that is remembered wrongly shows.
async fn append(writer: &dyn EventWriter, number: u64) -> Result<PrefixDigest, Failure> {
    let appended = writer.append(batch(0, number)).await?;
    assert!(!appended.acks[0].existing, "event {number} was there");
    assert_eq!(appended.acks[0].version, Version::new(number + 1));
    Ok(appended.prefix)
}

async fn assert_fenced(writer: &dyn EventWriter, number: u64) {
    match writer.append(batch(0, number)).await {
        Err(Failure::NotApplied(error)) => assert_eq!(error.kind(), ErrorKind::Fenced, "{error}"),
        other => panic!("{other:?}"),
    }
}

async fn next_owner(store: &PostgresEventStore, epoch: u64) -> Result<Box<dyn EventWriter>, Failure> {
    let grant = TwoRegions::new().grant(&slice_a(&orders()), &west(), epoch);
    store.open_writer(&[log(0)], WriterRole::Owner(grant)).await
}

async fn run() {
    let schema = fresh_schema();
    let (one, other) = (open(&schema).await.unwrap(), open(&schema).await.unwrap());
    let mut number = 0;
    let mut deposed: Option<Box<dyn EventWriter>> = None;
    for turn in 0..6 {
        let store = if turn % 2 == 0 { &one } else { &other };
        let writer = owner(store, 1).await.unwrap();
        if let Some(deposed) = &deposed {
            assert_fenced(&**deposed, number).await;
        }
        for _ in 0..3 {
            let prefix = append(&*writer, number).await.unwrap();
            assert_eq!(one.prefix(&log(0), number + 1).await.unwrap(), Some(prefix));
            number += 1;
        }
        deposed = Some(writer);
    }
    // What one process wrote, the other is told to be there, and a version that was right is no more.
    let writer = owner(&one, 1).await.unwrap();
    append(&*writer, number).await.unwrap();
    let again = writer.append(batch(0, 4)).await.unwrap();
    assert!(again.acks[0].existing && again.prefix.count == number + 1);
    let expects = NewEvent::new(id(99), StreamId::new("stream"), "counted", "{}".into()).expecting(Version::new(3));
    let failure = writer.append(OwnerBatch::new(log(0), vec![expects])).await.unwrap_err();
    assert_eq!(failure.not_applied().unwrap().kind(), ErrorKind::Conflict, "{failure}");
    // Sealed by the other, behind a tail that is known.
    append(&*writer, number + 1).await.unwrap();
    let grant = TwoRegions::new().grant(&slice_a(&orders()), &west(), 5);
    other.seal(&[log(0)], &grant).await.unwrap();
    assert_fenced(&*writer, number + 2).await;
    append(&*next_owner(&other, 5).await.unwrap(), number + 2).await.unwrap();
    assert_holds(&one, 0..number + 3).await;
}

//! E1, E2, E3: what an append writes.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::EventStoreFixture;
use super::steps::{append, copy, demand_refusal, end, mirror, own, owner, peers, read_all};
use crate::demand;
use crate::error::ErrorKind;
use crate::event::{Record, StreamId, Version};
use crate::ownership::Epoch;
use crate::testing::Violation;
use crate::testing::fixtures::{event, event_of, record};

/// E1: what `append` answered is read back, in order, with the places that were answered.
///
/// # Errors
/// The clause is not kept.
pub async fn e1_appends_are_read_back<Fx: EventStoreFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let store = fixture.store();
    let writer = owner(&store, 1, &[own(1)]).await?;
    let events = vec![
        event(1).with_key(Bytes::from_static(b"key")),
        event_of("stream-1", 2).with_header("name", Bytes::from_static(b"a")).with_header("name", Bytes::new()),
        event(3),
    ];
    let mut expected = Vec::new();
    for batch in [events, vec![event_of("stream-1", 4)]] {
        let answer = append(&writer, &own(1), batch.clone()).await?;
        demand!(answer.acks.len() == batch.len(), "{} acks for {} events", answer.acks.len(), batch.len());
        for (ack, event) in answer.acks.into_iter().zip(batch) {
            let new = !ack.existing && ack.log == own(1) && ack.id == event.id && ack.epoch == Epoch::GENESIS;
            demand!(new, "a new event was answered as {ack:?}");
            expected.push((ack.position, Record::of(event, ack.epoch, ack.version)));
        }
    }
    let read: Vec<_> = read_all(&store, &own(1)).await?.into_iter().map(|held| (held.position, held.record)).collect();
    demand!(read == expected, "read {read:?}, answered {expected:?}");
    let last = end(&store, &own(1)).await?.last;
    demand!(last == read.last().map(|(position, _)| *position), "the log ends at {last:?}");
    let logs = store.logs().await?;
    demand!(logs == [own(1)], "logs that hold something: {logs:?}");
    demand!(read_all(&store, &own(2)).await?.is_empty(), "a log that nobody wrote is not empty");
    Ok(())
}

/// E2: versions count from 1 without gaps per log and stream.
///
/// # Errors
/// The clause is not kept.
pub async fn e2_versions_have_no_gaps<Fx: EventStoreFixture>() -> Result<(), Violation> {
    let mut fixture = Fx::start().await;
    for round in 0..2_u64 {
        let store = fixture.store();
        let writer = owner(&store, 1, &[own(1), own(2)]).await?;
        for batch in 0..4_u64 {
            for partition in 1..=2_u32 {
                let first = round * 1_000 + u64::from(partition) * 100 + batch * 5;
                let events = (first..first + 5).map(|number| event_of(&format!("stream-{}", number % 3), number));
                append(&writer, &own(partition), events.collect()).await?;
            }
        }
        for partition in 1..=2 {
            let mut versions: BTreeMap<StreamId, Version> = BTreeMap::new();
            for held in read_all(&store, &own(partition)).await? {
                let before = versions.entry(held.record.stream.clone()).or_insert(Version::NONE);
                demand!(
                    held.record.version == before.next(),
                    "{}: version {} of {} follows {before}",
                    own(partition),
                    held.record.version,
                    held.record.stream
                );
                *before = held.record.version;
            }
            demand!(versions.len() == 3, "{} streams were read, 3 were written", versions.len());
        }
        drop((writer, store));
        fixture.crash().await;
    }
    Ok(())
}

/// E3: an unexpected version is a conflict, and nothing of its batch is written.
///
/// # Errors
/// The clause is not kept.
pub async fn e3_expected_versions_are_kept<Fx: EventStoreFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let store = fixture.store();
    // The peer's versions of the same stream do not count here.
    let link = mirror(&store, &[peers(1)]).await?;
    copy(&store, &link, &peers(1), vec![record(90, 1, 1), record(91, 1, 2)]).await?;
    let writer = owner(&store, 1, &[own(1)]).await?;
    let none = Version::NONE;
    let chained = vec![event(1).expecting(none), event(2).expecting(Version::new(1))];
    append(&writer, &own(1), chained).await?;
    let ahead = vec![event(3), event(4).expecting(Version::new(7))];
    demand_refusal(append(&writer, &own(1), ahead).await, ErrorKind::Conflict, "a version ahead of the stream's")?;
    let behind = vec![event(5).expecting(Version::new(2)), event(6).expecting(Version::new(2))];
    demand_refusal(append(&writer, &own(1), behind).await, ErrorKind::Conflict, "a version behind the stream's")?;
    let count = end(&store, &own(1)).await?.prefix.count;
    demand!(count == 2, "the log holds {count} records after two refused batches, 2 before");
    append(&writer, &own(1), vec![event(7).expecting(Version::new(2)), event(8)]).await?;
    Ok(())
}

//! E16: bounds of batches, events and cursors.

use bytes::Bytes;

use super::EventStoreFixture;
use super::steps::{demand_refusal, end, mirror, own, owner, peers};
use crate::demand;
use crate::error::ErrorKind;
use crate::event::{NewEvent, Record, StreamId, Version};
use crate::ids::CursorName;
use crate::ownership::Epoch;
use crate::ports::event_store::{
    BATCH_MAX_BYTES, BATCH_MAX_EVENTS, CURSOR_MAX_BYTES, CopyBatch, Cursor, EVENT_MAX_BYTES, OwnerBatch,
    STREAM_MAX_BYTES,
};
use crate::position::PrefixDigest;
use crate::testing::Violation;
use crate::testing::fixtures::{event, event_id};

fn sized(number: u64, bytes: usize) -> NewEvent {
    NewEvent::new(event_id(number), StreamId::new("stream-0"), "sized", Bytes::from(vec![7; bytes]))
}

fn too_large() -> Vec<(&'static str, Vec<NewEvent>, usize)> {
    let long = StreamId::new("s".repeat(STREAM_MAX_BYTES + 1));
    vec![
        ("a cursor above the bound", vec![event(1)], CURSOR_MAX_BYTES + 1),
        ("an event above the bound", vec![event(1), sized(2, EVENT_MAX_BYTES + 1)], 1),
        ("a header above the bound", vec![sized(1, EVENT_MAX_BYTES - 1).with_header("name", Bytes::new())], 1),
        ("a stream above the bound", vec![NewEvent::new(event_id(1), long, "long", Bytes::new())], 1),
        ("a batch above the bound", vec![event(1); BATCH_MAX_EVENTS + 1], 1),
        ("a batch of too many bytes", vec![sized(1, EVENT_MAX_BYTES); BATCH_MAX_BYTES / EVENT_MAX_BYTES + 1], 1),
    ]
}

/// E16: what is above the bounds is refused and writes nothing.
///
/// # Errors
/// The clause is not kept.
pub async fn e16_bounds_are_kept<Fx: EventStoreFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let store = fixture.store();
    let name = CursorName::new("bounded")?;
    let cursor = |bytes| Cursor { name: name.clone(), value: Bytes::from(vec![7; bytes]) };
    let writer = owner(&store, 1, &[own(1)]).await?;
    let link = mirror(&store, &[peers(1)]).await?;
    for (what, events, cursor_bytes) in too_large() {
        let batch = OwnerBatch::new(own(1), events.clone()).with_cursor(cursor(cursor_bytes));
        demand_refusal(writer.append(batch).await, ErrorKind::Invalid, what)?;
        let versions = (1..).map(Version::new);
        let records = events.into_iter().zip(versions).map(|(event, at)| Record::of(event, Epoch::GENESIS, at));
        let batch = CopyBatch::new(peers(1), PrefixDigest::EMPTY, records.collect()).with_cursor(cursor(cursor_bytes));
        demand_refusal(link.copy(batch).await, ErrorKind::Invalid, what)?;
        for log in [own(1), peers(1)] {
            let count = end(&store, &log).await?.prefix.count;
            demand!(count == 0, "{what} was refused and wrote {count} records of {log}");
        }
        demand!(store.cursor(&name).await?.is_none(), "{what} was refused and wrote its cursor");
    }
    let largest = OwnerBatch::new(own(1), vec![sized(1, EVENT_MAX_BYTES)]).with_cursor(cursor(CURSOR_MAX_BYTES));
    writer.append(largest).await?;
    Ok(())
}

//! E12, E13, E14: readers, positions and prefixes.

use std::time::Duration;

use super::EventStoreFixture;
use super::steps::{Store, Writer, append, drain, end, own, owner, read_all};
use crate::demand;
use crate::error::{Error, ErrorKind};
use crate::event::{EventId, Placed};
use crate::ports::event_store::{EventReader, ReadFrom};
use crate::position::{LogIncarnation, Position, PrefixDigest};
use crate::testing::Violation;
use crate::testing::fixtures::{event, event_id};
use crate::testing::interrupted::poll_times;

// Longer than any store takes; waited for only by one that fails.
const ARRIVAL: Duration = Duration::from_secs(2);
const NO_ARRIVAL: Duration = Duration::from_millis(5);

fn ids(read: &[Placed]) -> Vec<EventId> {
    read.iter().map(|held| held.record.id).collect()
}

fn numbers(range: std::ops::Range<u64>) -> Vec<EventId> {
    range.map(event_id).collect()
}

/// E12: readers neither miss nor repeat, first what there is, then what arrives, and are cancel
/// safe.
///
/// # Errors
/// The clause is not kept.
pub async fn e12_readers_miss_nothing<Fx: EventStoreFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let store = fixture.store();
    let writer = owner(&store, 1, &[own(1)]).await?;
    append(&writer, &own(1), (0..25).map(event).collect()).await?;
    let mut reader = store.open_reader(&own(1), ReadFrom::Start).await?;
    let read = drain(&mut reader, 7).await?;
    demand!(ids(&read) == numbers(0..25), "read in parts: {:?}", ids(&read));
    let mut resumed = store.open_reader(&own(1), ReadFrom::After(read[9].position)).await?;
    let rest = drain(&mut resumed, 100).await?;
    demand!(rest == read[10..], "read after the tenth: {:?}", ids(&rest));
    demand!(reader.next(10, NO_ARRIVAL).await?.is_empty(), "records arrived that nobody wrote");
    cancelled_with_records(&store).await?;
    cancelled_while_waiting(&mut reader, &writer).await?;
    let log = own(1);
    let (live, appended) = tokio::join!(biased; reader.next(10, ARRIVAL), append(&writer, &log, vec![event(26)]));
    appended?;
    let live = live?;
    demand!(ids(&live) == numbers(26..27), "while waiting arrived {:?}", ids(&live));
    Ok(())
}

async fn cancelled_with_records(store: &Store) -> Result<(), Violation> {
    for polls in 0..4 {
        let mut reader = store.open_reader(&own(1), ReadFrom::Start).await?;
        let mut read = Vec::new();
        for _ in 0..3 {
            let mut next = reader.next(4, ARRIVAL);
            if let Some(records) = poll_times(&mut next, polls).await {
                read.extend(records?);
            }
        }
        read.extend(drain(&mut reader, 100).await?);
        demand!(ids(&read) == numbers(0..25), "cancelled after {polls} polls, then read {:?}", ids(&read));
    }
    Ok(())
}

async fn cancelled_while_waiting(reader: &mut Box<dyn EventReader>, writer: &Writer) -> Result<(), Violation> {
    let mut waiting = reader.next(10, ARRIVAL);
    let early = poll_times(&mut waiting, 2).await;
    demand!(early.is_none(), "a wait at the end of the log answered {early:?}");
    append(writer, &own(1), vec![event(25)]).await?;
    drop(waiting);
    let read = reader.next(10, ARRIVAL).await?;
    demand!(ids(&read) == numbers(25..26), "after a cancelled wait came {:?}", ids(&read));
    Ok(())
}

/// E13: positions of another incarnation or past the end are refused.
///
/// # Errors
/// The clause is not kept.
pub async fn e13_foreign_positions_are_refused<Fx: EventStoreFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let store = fixture.store();
    let writer = owner(&store, 1, &[own(1)]).await?;
    append(&writer, &own(1), (0..3).map(event).collect()).await?;
    let log = end(&store, &own(1)).await?;
    let last = log.last.ok_or_else(|| Violation("a log with records has no last position".to_owned()))?;
    let foreign = LogIncarnation::from_bytes([0xEE; 16]);
    let refused = [
        ("another incarnation", Position::from_store(foreign, last.rank())),
        ("past the end", Position::from_store(log.incarnation, last.rank() + 1_000_000)),
    ];
    for (what, position) in refused {
        demand_corrupt(first_read(&store, position).await, what)?;
    }
    let mut reader = store.open_reader(&own(1), ReadFrom::After(last)).await?;
    demand!(drain(&mut reader, 10).await?.is_empty(), "records after the last one");
    Ok(())
}

async fn first_read(store: &Store, position: Position) -> Result<Vec<Placed>, Error> {
    let mut reader = store.open_reader(&own(1), ReadFrom::After(position)).await?;
    reader.next(10, Duration::ZERO).await
}

fn demand_corrupt(read: Result<Vec<Placed>, Error>, what: &str) -> Result<(), Violation> {
    match read {
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(()),
        other => Err(Violation(format!("{what}: expected a refusal of kind corrupt, got {other:?}"))),
    }
}

/// E14: `prefix` answers what a reader computes over the first records.
///
/// # Errors
/// The clause is not kept.
pub async fn e14_prefixes_are_recomputed<Fx: EventStoreFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let store = fixture.store();
    let writer = owner(&store, 1, &[own(1)]).await?;
    append(&writer, &own(1), (0..4).map(event).collect()).await?;
    let answered = append(&writer, &own(1), (4..9).map(event).collect()).await?.prefix;
    let mut computed = PrefixDigest::EMPTY;
    let mut expected = vec![computed];
    for held in read_all(&store, &own(1)).await? {
        computed = computed.then(&held.record.digest());
        expected.push(computed);
    }
    for (count, expected) in (0_u64..).zip(expected) {
        let prefix = store.prefix(&own(1), count).await?;
        demand!(prefix == Some(expected), "prefix of {count}: {prefix:?}, a reader computes {expected:?}");
    }
    demand!(store.prefix(&own(1), 10).await?.is_none(), "a prefix longer than the log");
    demand!(answered == computed, "the append answered {answered:?}, a reader computes {computed:?}");
    let shown = end(&store, &own(1)).await?.prefix;
    demand!(shown == computed, "the end shows {shown:?}, a reader computes {computed:?}");
    Ok(())
}

//! E5, E6, E15: what a crash leaves.

use bytes::Bytes;

use super::EventStoreFixture;
use super::steps::{Store, append, copy, end, grant, mirror, own, owner, peers, read_all};
use crate::demand;
use crate::ids::CursorName;
use crate::ports::event_store::{CopyBatch, Cursor, EventStore, OwnerBatch, StoreIdentity};
use crate::position::PrefixDigest;
use crate::testing::Violation;
use crate::testing::fixtures::{event, record};
use crate::testing::interrupted::poll_times;

// A batch is cut off after 0, 1, ... polls; a store that answers in fewer is then crashed after
// its answer.
const CUTS: u32 = 8;

fn cursor(name: &str) -> Result<Cursor, Violation> {
    Ok(Cursor { name: CursorName::new(name)?, value: Bytes::from_static(b"here") })
}

/// E5: a batch is written as a whole, with its cursor, or not at all, also across a crash.
///
/// # Errors
/// The clause is not kept.
pub async fn e5_batches_are_whole<Fx: EventStoreFixture>() -> Result<(), Violation> {
    let mut fixture = Fx::start().await;
    for cut in 0..CUTS {
        let own_cursor = cursor(&format!("own-{cut}"))?;
        let store = fixture.store();
        let writer = owner(&store, 1, &[own(cut)]).await?;
        let batch = OwnerBatch::new(own(cut), (1..=3).map(event).collect()).with_cursor(own_cursor.clone());
        let mut appending = writer.append(batch);
        poll_times(&mut appending, cut as usize).await;
        drop(appending);
        drop((writer, store));
        fixture.crash().await;
        demand_whole(&fixture.store(), &own_cursor, read_all(&fixture.store(), &own(cut)).await?.len()).await?;

        let link_cursor = cursor(&format!("link-{cut}"))?;
        let store = fixture.store();
        let writer = mirror(&store, &[peers(cut)]).await?;
        let records = (1..=3).map(|number| record(10 + number, 1, number)).collect();
        let batch = CopyBatch::new(peers(cut), PrefixDigest::EMPTY, records).with_cursor(link_cursor.clone());
        let mut copying = writer.copy(batch);
        poll_times(&mut copying, cut as usize).await;
        drop(copying);
        drop((writer, store));
        fixture.crash().await;
        demand_whole(&fixture.store(), &link_cursor, read_all(&fixture.store(), &peers(cut)).await?.len()).await?;
    }
    Ok(())
}

async fn demand_whole(store: &Store, cursor: &Cursor, records: usize) -> Result<(), Violation> {
    let held = store.cursor(&cursor.name).await?;
    let whole = match records {
        0 => held.is_none(),
        3 => held.as_ref() == Some(&cursor.value),
        _ => false,
    };
    demand!(whole, "after a crash {records} of 3 records are held, and the cursor {} is {held:?}", cursor.name);
    Ok(())
}

/// E6: what was answered survives a crash.
///
/// # Errors
/// The clause is not kept.
pub async fn e6_answers_survive_a_crash<Fx: EventStoreFixture>() -> Result<(), Violation> {
    let mut fixture = Fx::start().await;
    let store = fixture.store();
    let link = mirror(&store, &[peers(1)]).await?;
    let copied = CopyBatch::new(peers(1), PrefixDigest::EMPTY, vec![record(11, 1, 1)]).with_cursor(cursor("link")?);
    let prefix = link.copy(copied).await?;
    drop((link, store));
    fixture.crash().await;
    let store = fixture.store();
    demand!(end(&store, &peers(1)).await?.prefix == prefix, "an answered copy was lost in a crash");
    demand!(store.cursor(&cursor("link")?.name).await?.is_some(), "an answered cursor was lost in a crash");

    let writer = owner(&store, 1, &[own(1)]).await?;
    let answer = append(&writer, &own(1), vec![event(1), event(2)]).await?;
    drop((writer, store));
    fixture.crash().await;
    let read: Vec<_> = read_all(&fixture.store(), &own(1)).await?.iter().map(|held| held.record.id).collect();
    let answered: Vec<_> = answer.acks.iter().map(|ack| ack.id).collect();
    demand!(read == answered, "answered {answered:?}, held after a crash {read:?}");
    let prefix = end(&fixture.store(), &own(1)).await?.prefix;
    demand!(prefix == answer.prefix, "answered {:?}, held after a crash {prefix:?}", answer.prefix);
    Ok(())
}

/// E15: the commit sequence rises with every durable commit and never goes down; the incarnation
/// stays.
///
/// # Errors
/// The clause is not kept.
pub async fn e15_commit_sequence_rises<Fx: EventStoreFixture>() -> Result<(), Violation> {
    let mut fixture = Fx::start().await;
    let store = fixture.store();
    let mut last = store.identity().await?;
    let writer = owner(&store, 1, &[own(1)]).await?;
    last = demand_risen(&*store, last, "the first opening").await?;
    for number in 1..=3 {
        append(&writer, &own(1), vec![event(number)]).await?;
        last = demand_risen(&*store, last, "an append").await?;
    }
    let link = mirror(&store, &[peers(1)]).await?;
    copy(&store, &link, &peers(1), vec![record(11, 1, 1)]).await?;
    last = demand_risen(&*store, last, "a copy").await?;
    store.seal(&[own(1)], &grant(2)).await?;
    last = demand_risen(&*store, last, "a seal").await?;
    drop((writer, link, store));
    fixture.crash().await;
    let store = fixture.store();
    let reopened = store.identity().await?;
    demand!(reopened.incarnation == last.incarnation, "another incarnation after a crash");
    demand!(
        reopened.commit_sequence >= last.commit_sequence,
        "the commit sequence went down from {} to {} in a crash",
        last.commit_sequence,
        reopened.commit_sequence
    );
    let writer = owner(&store, 2, &[own(1)]).await?;
    append(&writer, &own(1), vec![event(9)]).await?;
    demand_risen(&*store, reopened, "an append after a crash").await?;
    Ok(())
}

async fn demand_risen(store: &dyn EventStore, last: StoreIdentity, what: &str) -> Result<StoreIdentity, Violation> {
    let now = store.identity().await?;
    demand!(now.incarnation == last.incarnation, "another incarnation after {what}");
    demand!(
        now.commit_sequence > last.commit_sequence,
        "{what} left the commit sequence at {}, {} before",
        now.commit_sequence,
        last.commit_sequence
    );
    Ok(now)
}

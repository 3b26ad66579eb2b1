//! E11: a mirror writes what the source holds.

use super::EventStoreFixture;
use super::steps::{append, demand_refusal, end, mirror, own, owner, peers, peers_grant, read_all};
use crate::demand;
use crate::error::ErrorKind;
use crate::ports::event_store::CopyBatch;
use crate::position::PrefixDigest;
use crate::testing::Violation;
use crate::testing::fixtures::{event, event_id, orders, record};

/// E11: a mirror's batch is written as it is, behind the prefix that it names.
///
/// # Errors
/// The clause is not kept.
pub async fn e11_copies_are_written_as_they_are<Fx: EventStoreFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let store = fixture.store();
    // Neither ids that the own log holds nor a fence above the records' epoch matter to a copy.
    let writer = owner(&store, 1, &[own(1)]).await?;
    append(&writer, &own(1), vec![event(1), event(2)]).await?;
    store.seal(&[peers(1)], &peers_grant(9)).await?;

    let link = mirror(&store, &[peers(1)]).await?;
    let first = vec![record(1, 3, 1), record(2, 3, 2)];
    let second = vec![record(4, 5, 3)];
    let prefix = link.copy(CopyBatch::new(peers(1), PrefixDigest::EMPTY, first.clone())).await?;
    let expected = first.iter().fold(PrefixDigest::EMPTY, |prefix, record| prefix.then(&record.digest()));
    demand!(prefix == expected, "a copy answered {prefix:?}, its records make {expected:?}");

    let again = link.copy(CopyBatch::new(peers(1), PrefixDigest::EMPTY, first.clone())).await;
    demand_refusal(again, ErrorKind::Conflict, "a copy behind a prefix that the log has left")?;
    let forked = PrefixDigest { digest: record(9, 9, 9).digest(), ..prefix };
    let forked = link.copy(CopyBatch::new(peers(1), forked, second.clone())).await;
    demand_refusal(forked, ErrorKind::Conflict, "a copy behind another prefix of the same length")?;
    let count = end(&store, &peers(1)).await?.prefix.count;
    demand!(count == 2, "{count} records after two refused copies, 2 before");

    link.copy(CopyBatch::new(peers(1), prefix, second.clone())).await?;
    let read: Vec<_> = read_all(&store, &peers(1)).await?.into_iter().map(|held| held.record).collect();
    let copied: Vec<_> = first.into_iter().chain(second).collect();
    demand!(read == copied, "copied {copied:?}, read {read:?}");
    let seen = store.sightings(&orders(), 1, &[event_id(1)]).await?;
    let mut seen: Vec<_> = seen.into_iter().map(|sighting| sighting.log).collect();
    seen.sort();
    demand!(seen == [peers(1), own(1)], "an id that both logs hold was seen in {seen:?}");
    Ok(())
}

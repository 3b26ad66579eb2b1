//! E4: an id is appended once per scope and partition.

use bytes::Bytes;

use super::EventStoreFixture;
use super::steps::{Store, append, copy, demand_refusal, end, mirror, own, owner, peers, read_all};
use crate::demand;
use crate::error::ErrorKind;
use crate::event::NewEvent;
use crate::testing::Violation;
use crate::testing::fixtures::{event, event_id, orders, record};

/// E4: a held id with equal content is answered with its place, with other content it is refused.
///
/// # Errors
/// The clause is not kept.
pub async fn e4_ids_are_appended_once<Fx: EventStoreFixture>() -> Result<(), Violation> {
    let mut fixture = Fx::start().await;
    let store = fixture.store();
    held_here(&store).await?;
    held_by_a_mirror(&store).await?;
    other_content(&store).await?;
    // Opened once more, the writer has made everything before it durable.
    drop(owner(&store, 2, &[own(1)]).await?);
    drop(store);
    fixture.crash().await;
    let store = fixture.store();
    let writer = owner(&store, 2, &[own(1)]).await?;
    let answer = append(&writer, &own(1), vec![event(1)]).await?;
    demand!(answer.acks[0].existing, "an id held before a crash was appended again");
    Ok(())
}

async fn held_here(store: &Store) -> Result<(), Violation> {
    let writer = owner(store, 1, &[own(1), own(2)]).await?;
    let first = append(&writer, &own(1), vec![event(1)]).await?;
    // Twice in the batch, the later one is the earlier one's copy.
    let again = append(&writer, &own(1), vec![event(2), event(1), event(2)]).await?;
    let existing: Vec<bool> = again.acks.iter().map(|ack| ack.existing).collect();
    demand!(existing == [false, true, true], "new, held, twice in the batch: answered {existing:?} as held");
    demand!(again.acks[1].position == first.acks[0].position, "a held id was answered with another place");
    let count = read_all(store, &own(1)).await?.len();
    demand!(count == 2, "2 ids were appended, {count} records are held");
    let elsewhere = append(&writer, &own(2), vec![event(1)]).await?;
    demand!(!elsewhere.acks[0].existing, "an id of another partition was taken for this one's");
    Ok(())
}

async fn held_by_a_mirror(store: &Store) -> Result<(), Violation> {
    let link = mirror(store, &[peers(1)]).await?;
    copy(store, &link, &peers(1), vec![record(11, 1, 1), record(12, 1, 2)]).await?;
    let writer = owner(store, 2, &[own(1)]).await?;
    let before = end(store, &own(1)).await?;
    let answer = append(&writer, &own(1), vec![event(12)]).await?;
    let ack = &answer.acks[0];
    demand!(ack.existing && ack.log == peers(1), "an id that a mirror holds was answered as {ack:?}");
    let last = end(store, &peers(1)).await?.last;
    demand!(Some(ack.position) == last, "answered place {}, the mirror holds it at {last:?}", ack.position);
    demand!(end(store, &own(1)).await? == before, "an id that a mirror holds was appended again");
    let seen = store.sightings(&orders(), 1, &[event_id(1), event_id(12), event_id(99)]).await?;
    let mut seen: Vec<_> = seen.into_iter().map(|sighting| (sighting.id, sighting.log)).collect();
    seen.sort();
    demand!(seen == [(event_id(1), own(1)), (event_id(12), peers(1))], "sightings {seen:?}");
    Ok(())
}

async fn other_content(store: &Store) -> Result<(), Violation> {
    let writer = owner(store, 2, &[own(1)]).await?;
    let before = end(store, &own(1)).await?;
    for number in [1, 12] {
        let forged = NewEvent::new(event_id(number), event(number).stream, "numbered", Bytes::from_static(b"other"));
        let answer = append(&writer, &own(1), vec![event(20), forged]).await;
        demand_refusal(answer, ErrorKind::Invalid, "a held id with other content")?;
    }
    demand!(end(store, &own(1)).await? == before, "a refused batch wrote something");
    Ok(())
}

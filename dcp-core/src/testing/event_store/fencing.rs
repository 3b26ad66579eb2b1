//! E7, E8, E9: fences, predecessors and seals.

use super::EventStoreFixture;
use super::steps::{Store, append, demand_refusal, end, grant, own, owner, peers, peers_grant};
use crate::demand;
use crate::error::{ErrorKind, Failure};
use crate::ids::LinkId;
use crate::log::LogId;
use crate::ownership::Epoch;
use crate::ports::event_store::{CopyBatch, OwnerBatch, WriterRole};
use crate::position::PrefixDigest;
use crate::testing::Violation;
use crate::testing::fixtures::{event, orders, record, west};
use crate::testing::interrupted::poll_times;

/// E7: the fence is raised durably at opening and refuses lower epochs and other issuers.
///
/// # Errors
/// The clause is not kept.
pub async fn e7_fence_is_durable<Fx: EventStoreFixture>() -> Result<(), Violation> {
    let mut fixture = Fx::start().await;
    let store = fixture.store();
    drop(owner(&store, 2, &[own(1)]).await?);
    demand_closed(&store, 1, "below the fence").await?;
    drop(store);
    fixture.crash().await;
    let store = fixture.store();
    demand_closed(&store, 1, "below the fence, after a crash").await?;
    let highest = store.fence(&own(1)).await?;
    let shown = highest.highest().map(|rank| (rank.epoch, rank.issuer.clone()));
    demand!(shown == Some((Epoch::new(2), west())), "the fence after a crash is {highest:?}");

    let writer = owner(&store, 2, &[own(1), own(2)]).await?;
    append(&writer, &own(1), vec![event(1)]).await?;
    store.seal(&[own(1)], &peers_grant(3)).await?;
    let stale = append(&writer, &own(1), vec![event(2)]).await;
    demand_refusal(stale, ErrorKind::Fenced, "an append below the fence")?;
    demand_closed(&store, 3, "another issuer in the fence's epoch").await?;
    append(&writer, &own(2), vec![event(2)]).await?;
    let count = end(&store, &own(1)).await?.prefix.count;
    demand!(count == 1, "{count} records after a refused append, 1 before");
    Ok(())
}

async fn demand_closed(store: &Store, epoch: u64, what: &str) -> Result<(), Violation> {
    let opened = store.open_writer(&[own(1)], WriterRole::Owner(grant(epoch))).await;
    demand_refusal(opened, ErrorKind::Fenced, what)
}

/// E8: a second writer on a log in the same role fences the first.
///
/// # Errors
/// The clause is not kept.
pub async fn e8_second_writer_fences_the_first<Fx: EventStoreFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let store = fixture.store();
    let first = owner(&store, 1, &[own(1), own(2)]).await?;
    let second = owner(&store, 1, &[own(1)]).await?;
    demand_refusal(append(&first, &own(1), vec![event(1)]).await, ErrorKind::Fenced, "the first owner's writer")?;
    append(&second, &own(1), vec![event(1)]).await?;
    append(&first, &own(2), vec![event(1)]).await?;

    let link = |name| LinkId::new(name).map(WriterRole::Mirror);
    let first = store.open_writer(&[peers(1)], link("one")?).await?;
    let second = store.open_writer(&[peers(1)], link("two")?).await?;
    let batch = CopyBatch::new(peers(1), PrefixDigest::EMPTY, vec![record(1, 1, 1)]);
    demand_refusal(first.copy(batch.clone()).await, ErrorKind::Fenced, "the first mirror's writer")?;
    second.copy(batch).await?;

    let heartbeats = LogId::heartbeats(&orders(), &west())?;
    let first = store.open_writer(std::slice::from_ref(&heartbeats), WriterRole::Companion).await?;
    let second = store.open_writer(std::slice::from_ref(&heartbeats), WriterRole::Companion).await?;
    let refused = append(&first, &heartbeats, vec![event(1)]).await;
    demand_refusal(refused, ErrorKind::Fenced, "the first companion writer")?;
    append(&second, &heartbeats, vec![event(1)]).await?;
    Ok(())
}

// An append is under way for 0, 1, ... polls when the seal comes.
const OVERLAPS: u32 = 6;

/// E9: a seal lets no append below it land afterwards and answers the ends after the last that did.
///
/// # Errors
/// The clause is not kept.
pub async fn e9_seal_drains<Fx: EventStoreFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let store = fixture.store();
    for overlap in 0..OVERLAPS {
        let log = own(overlap);
        let writer = owner(&store, 1, std::slice::from_ref(&log)).await?;
        append(&writer, &log, vec![event(1)]).await?;
        let mut appending = writer.append(OwnerBatch::new(log.clone(), vec![event(2)]));
        let early = poll_times(&mut appending, overlap as usize).await;
        let logs = std::slice::from_ref(&log);
        let sealing = grant(2);
        let (answer, cut) = match early {
            Some(answer) => (answer, store.seal(logs, &sealing).await),
            None => tokio::join!(biased; appending, store.seal(logs, &sealing)),
        };
        let cut = cut?;
        let sealed = cut.get(&log).map(|end| end.prefix);
        let now = end(&store, &log).await?.prefix;
        demand!(sealed == Some(now), "the seal answered {sealed:?}, the log ends at {now:?}");
        let expected = match answer {
            Ok(_) => 2,
            Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Fenced => 1,
            Err(failure) => return Err(failure.into()),
        };
        demand!(now.count == expected, "{} records are held, {expected} by the answer", now.count);
        demand_refusal(append(&writer, &log, vec![event(3)]).await, ErrorKind::Fenced, "an append after the seal")?;
        demand!(end(&store, &log).await?.prefix == now, "an append landed after the seal");
        // Sealed once more, as after an unknown outcome: the same ends.
        demand!(store.seal(logs, &sealing).await? == cut, "sealing again answered other ends");
    }
    Ok(())
}

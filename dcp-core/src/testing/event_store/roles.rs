//! E10: who may write which logs.

use super::EventStoreFixture;
use super::steps::{append, demand_refusal, end, grant, own, owner, peers, peers_grant};
use crate::demand;
use crate::error::ErrorKind;
use crate::ids::LinkId;
use crate::log::LogId;
use crate::ownership::Epoch;
use crate::ports::event_store::{CopyBatch, WriterRole};
use crate::position::PrefixDigest;
use crate::testing::Violation;
use crate::testing::fixtures::{TwoRegions, east, event, orders, record, returns, slice_b, west};

/// E10: a writer opens only on the logs of its role.
///
/// # Errors
/// The clause is not kept.
pub async fn e10_roles_write_their_own_logs<Fx: EventStoreFixture>() -> Result<(), Violation> {
    let fixture = Fx::start().await;
    let store = fixture.store();
    let mirror = WriterRole::Mirror(LinkId::new("east-to-west")?);
    let heartbeats = LogId::heartbeats(&orders(), &west())?;
    let peers_heartbeats = LogId::heartbeats(&orders(), &east())?;
    let of_another_scope = TwoRegions::new().grant(&slice_b(&returns()), &west(), 2);
    let unlawful = [
        ("an owner on its peer's log", vec![own(1), peers(1)], WriterRole::Owner(grant(2))),
        ("an owner under its peer's grant", vec![own(1)], WriterRole::Owner(peers_grant(2))),
        ("the peer as owner of its own log", vec![peers(1)], WriterRole::Owner(peers_grant(2))),
        ("an owner under another scope's grant", vec![own(1)], WriterRole::Owner(of_another_scope)),
        ("an owner on a companion log", vec![heartbeats.clone()], WriterRole::Owner(grant(2))),
        ("a mirror on its own region's log", vec![peers(1), own(1)], mirror.clone()),
        ("a mirror on its own region's companion log", vec![heartbeats.clone()], mirror.clone()),
        ("a companion on a user's log", vec![own(1)], WriterRole::Companion),
        ("a companion on its peer's", vec![peers_heartbeats.clone()], WriterRole::Companion),
    ];
    for (what, logs, role) in unlawful {
        demand_refusal(store.open_writer(&logs, role).await, ErrorKind::Refused, what)?;
    }
    let fence = store.fence(&own(1)).await?;
    demand!(fence.highest().is_none(), "a refused opening raised the fence to {fence:?}");

    let companion = store.open_writer(std::slice::from_ref(&heartbeats), WriterRole::Companion).await?;
    let answer = append(&companion, &heartbeats, vec![event(1)]).await?;
    demand!(answer.acks[0].epoch == Epoch::NONE, "a companion appended under {}", answer.acks[0].epoch);
    let link = store.open_writer(&[peers(1), peers_heartbeats], mirror).await?;
    let writer = owner(&store, 1, &[own(1)]).await?;
    let copied = CopyBatch::new(own(1), PrefixDigest::EMPTY, vec![record(1, 1, 1)]);
    demand_refusal(writer.copy(copied).await, ErrorKind::Refused, "an owner that copies")?;
    let appended = append(&link, &peers(1), vec![event(1)]).await;
    demand_refusal(appended, ErrorKind::Refused, "a mirror that appends")?;
    let other = append(&writer, &own(2), vec![event(1)]).await;
    demand_refusal(other, ErrorKind::Refused, "a log that the writer was not opened on")?;
    for log in [own(1), own(2), peers(1)] {
        let count = end(&store, &log).await?.prefix.count;
        demand!(count == 0, "{log}: a refused call wrote {count} records");
    }
    Ok(())
}

//! L9: whose logs are copied.

use tokio_util::sync::CancellationToken;

use super::{MirrorLinkFixture, World};
use crate::demand;
use crate::event::{Record, Version};
use crate::ids::RegionId;
use crate::ownership::Epoch;
use crate::ports::event_store::{CopyBatch, EventSource as _, EventStore as _, WriterRole};
use crate::position::PrefixDigest;
use crate::tasks::TaskGroup;
use crate::testing::Violation;
use crate::testing::fixtures::{event, partition_log, west};

/// L9: it copies only logs whose origin is its source region, so that loops cannot form.
///
/// # Errors
/// The violation.
pub async fn l9_foreign_origins_are_not_copied<Fx: MirrorLinkFixture>() -> Result<(), Violation> {
    let mut world = World::start().await?;
    let north: RegionId = "north".parse()?;
    let foreign = partition_log(&north, 0);
    // The source holds a mirror of a third region's log.
    let role = WriterRole::Mirror("north-west".parse()?);
    let writer = world.west.open_writer(std::slice::from_ref(&foreign), role).await?;
    let record = Record::of(event(900), Epoch::GENESIS, Version::new(1));
    writer.copy(CopyBatch::new(foreign.clone(), PrefixDigest::EMPTY, vec![record])).await?;

    // A link that is asked for it refuses, or leaves it alone.
    let (parts, _) = world.parts(World::logs().into_iter().chain([foreign]).collect());
    let mut group = TaskGroup::new(&CancellationToken::new());
    if let Ok(started) = Fx::start(parts, group.stop_token()) {
        group.spawn("link", started.worker);
    }
    world.rest().await;
    demand_own_origins(&world).await?;
    drop(group);

    let running = world.run::<Fx>()?;
    let log = World::logs().remove(0);
    world.append(&log, 2).await?;
    world.until_count(&log, 2).await?;
    demand_own_origins(&world).await?;
    running.stop().await?;
    Ok(())
}

async fn demand_own_origins(world: &World) -> Result<(), Violation> {
    let copied = world.east.logs().await?;
    let foreign = copied.iter().find(|log| log.origin() != &west());
    demand!(foreign.is_none(), "it copied {foreign:?}");
    Ok(())
}

//! L5: a source that does not fit the mirror.

use super::{MirrorLinkFixture, SOURCE_INCARNATION, World};
use crate::demand;
use crate::ports::event_store::{EventSource as _, EventSourceExt as _};
use crate::ports::mirror_link::{LinkDesire, LinkState};
use crate::position::{LogIncarnation, PrefixDigest};
use crate::testing::Violation;
use crate::testing::fixtures::event_of;

/// L5: a source of another incarnation, shorter than the mirror, or with another prefix stops the
/// log: `Failed`, with both digests, nothing overwritten.
///
/// # Errors
/// The violation.
pub async fn l5_divergence_stops<Fx: MirrorLinkFixture>() -> Result<(), Violation> {
    // The same records and more, in another incarnation.
    stops::<Fx>("another incarnation", LogIncarnation::from_bytes([12; 16]), (1..=9).collect()).await?;
    // The same incarnation, cut short.
    stops::<Fx>("a shorter source", SOURCE_INCARNATION, (1..=3).collect()).await?;
    // The same incarnation with other records: as many, and more.
    stops::<Fx>("other records, as many", SOURCE_INCARNATION, (101..=106).collect()).await?;
    stops::<Fx>("other records, more", SOURCE_INCARNATION, (101..=109).collect()).await
}

async fn stops<Fx: MirrorLinkFixture>(
    case: &str,
    incarnation: LogIncarnation,
    numbers: Vec<u64>,
) -> Result<(), Violation> {
    let mut world = World::start().await?;
    let log = World::logs().remove(0);
    let running = world.run::<Fx>()?;
    world.append_events(&log, (1..=6).map(|number| event_of("s", number)).collect()).await?;
    world.until_count(&log, 6).await?;
    let held = world.mirrored(&log).await?;
    let mirror = world.east.end(&log).await?.prefix;

    world.source.set_cut(true);
    world.rest().await;
    world.replace_source(incarnation).await?;
    world.append_events(&log, numbers.into_iter().map(|number| event_of("s", number)).collect()).await?;
    let count = world.written(&log).await?.len() as u64;
    let at_count = world.west.prefix(&log, count.min(6)).await?.unwrap_or(PrefixDigest::EMPTY).digest;
    let end = world.west.end(&log).await?.prefix;
    world.source.set_cut(false);

    world.until_status(&running.link, case, |status| status.state == LinkState::Failed).await?;
    let told = running.link.status().await?.failure.unwrap_or_default();
    let names = |digest: crate::digest::Digest| told.contains(&digest.to_string());
    demand!(names(mirror.digest), "{case}: the failure does not name the mirror's digest: {told}");
    demand!(names(at_count) || names(end.digest), "{case}: the failure does not name the source's digest: {told}");

    // Neither time, nor a restart, nor a plan that sets every link going overwrites anything.
    world.crash(running).await;
    let running = world.run::<Fx>()?;
    let operation = world.operation(1)?;
    running.link.set_desire(&operation, LinkDesire::active()).await?;
    world.rest().await;
    let state = running.link.status().await?.state;
    demand!(state == LinkState::Failed, "{case}: restarted, it is {state:?}");
    demand!(world.mirrored(&log).await? == held, "{case}: the mirror has changed");
    running.stop().await?;
    Ok(())
}

//! L3, L4 and L8: what the link is told.

use super::{MirrorLinkFixture, World};
use crate::demand;
use crate::error::{ErrorKind, Failure};
use crate::log::LogId;
use crate::ports::mirror_link::{LinkDesire, LinkState};
use crate::testing::Violation;
use crate::testing::fixtures::{orders, west};

/// L3: paused, it copies nothing, also after a restart; active again, it goes on.
///
/// # Errors
/// The violation.
pub async fn l3_paused_copies_nothing<Fx: MirrorLinkFixture>() -> Result<(), Violation> {
    let mut world = World::start().await?;
    let log = World::logs().remove(0);
    let running = world.run::<Fx>()?;
    world.append(&log, 4).await?;
    world.until_count(&log, 4).await?;
    world.desire(&running.link, LinkDesire::paused()).await?;
    let held = world.mirrored(&log).await?.len();
    world.append(&log, 4).await?;
    world.rest().await;
    let now = world.mirrored(&log).await?.len();
    demand!(now == held, "paused, it copied {} records", now - held);
    world.crash(running).await;

    let running = world.run::<Fx>()?;
    world.rest().await;
    let now = world.mirrored(&log).await?.len();
    demand!(now == held, "paused and restarted, it copied {} records", now - held);
    let state = running.link.status().await?.state;
    demand!(state == LinkState::Paused, "paused and restarted, it says {state:?}");
    world.desire(&running.link, LinkDesire::active()).await?;
    world.until_count(&log, held + 4).await?;
    running.stop().await?;
    Ok(())
}

/// L4: staging copies exactly up to the named ends, says when they are reached, and copies nothing
/// beyond.
///
/// # Errors
/// The violation.
pub async fn l4_staging_ends_exactly<Fx: MirrorLinkFixture>() -> Result<(), Violation> {
    let mut world = World::start().await?;
    let running = world.run::<Fx>()?;
    world.desire(&running.link, LinkDesire::paused()).await?;
    for (log, count) in World::logs().iter().zip([23, 5]) {
        world.append(log, count).await?;
    }
    let cut = world.source_ends().await?;
    for log in World::logs() {
        world.append(&log, 6).await?;
    }
    world.beat::<Fx>().await?;
    let status = running.link.status().await?;
    demand!(!status.reached, "it says that ends are reached which nobody named");
    world.desire(&running.link, LinkDesire::staging(cut.clone())).await?;
    world.until_status(&running.link, "the named ends are reached", |status| status.reached).await?;
    for _ in 0..2 {
        for (log, end) in cut.iter() {
            let held = world.mirrored(log).await?.len() as u64;
            demand!(held == end.prefix.count, "{log}: {held} records, the named end is {}", end.prefix.count);
        }
        let companion = LogId::heartbeats(&orders(), &west())?;
        let beats = world.mirrored(&companion).await?.len();
        demand!(beats == 0, "it copied {beats} records of {companion}, which has no named end");
        world.rest().await;
    }
    let status = running.link.status().await?;
    demand!(status.reached && status.state == LinkState::ReadOnlyStaging, "at the named ends it says {status:?}");
    running.stop().await?;
    Ok(())
}

/// L8: a desire set by a lower term than one already seen is refused with `Fenced`.
///
/// # Errors
/// The violation.
pub async fn l8_lower_terms_are_fenced<Fx: MirrorLinkFixture>() -> Result<(), Violation> {
    let mut world = World::start().await?;
    let mut running = world.run::<Fx>()?;
    let (higher, lower) = (world.operation(5)?, world.operation(4)?);
    running.link.set_desire(&higher, LinkDesire::active()).await?;
    for restart in [false, true] {
        if restart {
            world.crash(running).await;
            running = world.run::<Fx>()?;
        }
        match running.link.set_desire(&lower, LinkDesire::paused()).await {
            Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Fenced => {}
            other => return Err(Violation(format!("a lower term (restarted: {restart}) was answered with {other:?}"))),
        }
        world.rest().await;
        let state = running.link.status().await?.state;
        demand!(state == LinkState::Active, "after a refused pause it is {state:?}");
    }
    let same = world.operation(5)?;
    running.link.set_desire(&same, LinkDesire::active()).await?;
    running.stop().await?;
    Ok(())
}

//! L7: lag in seconds.

use std::time::Duration;

use super::{MirrorLinkFixture, World};
use crate::demand;
use crate::testing::Violation;

/// More than a link needs to notice a heartbeat.
const NOTICE: Duration = Duration::from_secs(5);

/// L7: lag rises while nothing arrives, from the local arrival of the newest heartbeat, whatever
/// the source's clock says.
///
/// # Errors
/// The violation.
pub async fn l7_silence_is_lag<Fx: MirrorLinkFixture>() -> Result<(), Violation> {
    let mut world = World::start().await?;
    let log = World::logs().remove(0);
    let running = world.run::<Fx>()?;
    world.append(&log, 3).await?;
    world.rest().await;
    let age = running.link.status().await?.heartbeat_age;
    demand!(age.is_none(), "before the first heartbeat its age is {age:?}");

    world.beat::<Fx>().await?;
    let fresh = |age: Option<Duration>| age.is_some_and(|age| age < NOTICE);
    world.until_status(&running.link, "a heartbeat is applied", |status| fresh(status.heartbeat_age)).await?;
    // Records go on arriving; heartbeats do not.
    for _ in 0..10 {
        world.append(&log, 1).await?;
        world.clock.sleep(Duration::from_secs(3)).await;
    }
    let age = running.link.status().await?.heartbeat_age.unwrap_or_default();
    let silent = Duration::from_secs(30);
    demand!(age >= silent && age < silent + NOTICE, "after {silent:?} without a heartbeat the lag is {age:?}");

    world.beat::<Fx>().await?;
    world.until_status(&running.link, "the next one is applied", |status| fresh(status.heartbeat_age)).await?;
    world.source.set_cut(true);
    world.beat::<Fx>().await?;
    world.clock.sleep(silent).await;
    let age = running.link.status().await?.heartbeat_age.unwrap_or_default();
    demand!(age >= silent && age < silent + NOTICE, "after {silent:?} without the source the lag is {age:?}");
    running.stop().await?;
    Ok(())
}

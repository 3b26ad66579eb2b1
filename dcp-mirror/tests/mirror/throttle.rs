//! A throttled link builds a tail, and heartbeats pass it.

use std::time::Duration;

use dcp_core::log::LogId;
use dcp_core::ports::LinkDesire;
use dcp_core::ports::MirrorLink as _;
use dcp_core::tasks::TaskGroup;
use dcp_core::testing::Violation;
use dcp_core::testing::fixtures::{orders, west};
use dcp_core::testing::mirror_link::{MirrorLinkFixture as _, World};
use tokio_util::sync::CancellationToken;

use crate::store_fixture::{StoreFixture, store_link};

#[tokio::test(start_paused = true)]
async fn the_rate_is_kept_and_heartbeats_pass() -> Result<(), Violation> {
    let mut world = World::start().await?;
    let (parts, _) = world.parts(World::logs());
    let link = store_link(parts)?;
    link.set_throttle(Some(50));
    let mut group = TaskGroup::new(&CancellationToken::new());
    let (running, stop) = (link.clone(), group.stop_token());
    group.spawn("link", async move { running.run(stop).await });
    for log in World::logs() {
        world.append(&log, 400).await?;
    }
    let owned = World::logs().into_iter().collect();
    StoreFixture::beat(world.west.clone(), owned, world.clock.now()).await?;
    world.clock.sleep(Duration::from_secs(4)).await;
    let mut copied = 0;
    for log in World::logs() {
        copied += world.mirrored(&log).await?.len();
    }
    assert!((180..=206).contains(&copied), "{copied} records in 4 s at 50 a second");
    let companion = LogId::heartbeats(&orders(), &west())?;
    assert_eq!(world.mirrored(&companion).await?.len(), 1);
    let status = link.status().await?;
    assert_eq!(status.heartbeat_age, None, "the heartbeat names records that are not here");
    assert_eq!(status.lag_records(), 800 - copied as u64);

    link.set_throttle(None);
    world.until_equal().await?;
    let status = link.status().await?;
    assert!(status.heartbeat_age.is_some_and(|age| age > Duration::from_secs(3)), "{:?}", status.heartbeat_age);
    let operation = world.operation(1)?;
    link.set_desire(&operation, LinkDesire::paused()).await?;
    group.stop().await?;
    Ok(())
}

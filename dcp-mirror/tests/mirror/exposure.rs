//! What a takeover declares, and what a status shows while the source is dark.

use std::time::Duration;

use dcp_core::ports::{LinkDesire, LinkState, MirrorLink as _};
use dcp_core::tasks::TaskGroup;
use dcp_core::testing::Violation;
use dcp_core::testing::mirror_link::World;
use tokio_util::sync::CancellationToken;

use crate::store_fixture::{StoreFixture, store_link};

#[tokio::test(start_paused = true)]
async fn a_tail_is_declared_also_by_a_restarted_link() -> Result<(), Violation> {
    let mut world = World::start().await?;
    let logs = World::logs();
    let (parts, _) = world.parts(logs.clone());
    let link = store_link(parts)?;
    let mut group = TaskGroup::new(&CancellationToken::new());
    let (running, stop) = (link.clone(), group.stop_token());
    group.spawn("link", async move { running.run(stop).await });
    for log in &logs {
        world.append(log, 10).await?;
    }
    world.beat::<StoreFixture>().await?;
    world.until_equal().await?;
    // From here on only heartbeats pass.
    link.set_throttle(Some(0));
    world.append(&logs[0], 7).await?;
    world.clock.sleep(Duration::from_secs(3)).await;
    world.beat::<StoreFixture>().await?;
    world.clock.sleep(Duration::from_secs(1)).await;
    world.source.set_cut(true);
    world.clock.sleep(Duration::from_secs(20)).await;

    let declared = link.exposure().await?;
    assert_eq!(declared[&logs[0]].declared_records, 7);
    assert_eq!(declared[&logs[1]].declared_records, 0);
    let seconds =
        |index: usize| declared[&logs[index]].declared_seconds.map(|age| Duration::from_secs_f64(age).as_secs());
    assert_eq!((seconds(0), seconds(1)), (Some(24), Some(20)));
    let status = link.status().await?;
    assert!(!status.connected);
    assert_eq!(status.lag_records(), 7);
    assert_eq!(status.heartbeat_age.map(|age| age.as_secs()), Some(24));

    // A pause takes at once, although the source does not answer.
    let operation = world.operation(1)?;
    link.set_desire(&operation, LinkDesire::paused()).await?;
    world.clock.sleep(Duration::from_millis(30)).await;
    assert_eq!(link.status().await?.state, LinkState::Paused);
    group.stop().await?;

    let (parts, _) = world.parts(logs.clone());
    let link = store_link(parts)?;
    let mut group = TaskGroup::new(&CancellationToken::new());
    let (running, stop) = (link.clone(), group.stop_token());
    group.spawn("link", async move { running.run(stop).await });
    world.clock.sleep(Duration::from_secs(1)).await;
    let declared = link.exposure().await?;
    assert_eq!(
        declared[&logs[0]].declared_records, 7,
        "the newest heartbeat is read again from the local companion log"
    );
    assert_eq!(declared[&logs[0]].declared_seconds, None, "when it arrived is not known any more");
    group.stop().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn heartbeats_that_come_through_after_a_cut_hide_no_backlog() -> Result<(), Violation> {
    let mut world = World::start().await?;
    let logs = World::logs();
    let (parts, _) = world.parts(logs.clone());
    let link = store_link(parts)?;
    let mut group = TaskGroup::new(&CancellationToken::new());
    let (running, stop) = (link.clone(), group.stop_token());
    group.spawn("link", async move { running.run(stop).await });
    world.append(&logs[0], 1).await?;
    world.beat::<StoreFixture>().await?;
    world.until_equal().await?;

    world.source.set_cut(true);
    for _ in 0..30 {
        world.beat::<StoreFixture>().await?;
        world.append(&logs[0], 2).await?;
        world.clock.sleep(Duration::from_secs(1)).await;
    }
    // The heartbeats pass; of the records none does.
    link.set_throttle(Some(0));
    world.source.set_cut(false);
    world.clock.sleep(Duration::from_secs(2)).await;
    let (declared, status) = (link.exposure().await?, link.status().await?);
    assert_eq!(status.lag_records(), 60);
    assert!(declared[&logs[0]].declared_seconds.is_some_and(|seconds| seconds >= 31.0), "{declared:?}");
    assert!(status.heartbeat_age.is_some_and(|age| age >= Duration::from_secs(31)), "{:?}", status.heartbeat_age);
    group.stop().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_failed_link_is_released_by_an_operation_and_compares_again() -> Result<(), Violation> {
    let mut world = World::start().await?;
    let log = World::logs().remove(0);
    let (parts, _) = world.parts(World::logs());
    let link = store_link(parts)?;
    let mut group = TaskGroup::new(&CancellationToken::new());
    let (running, stop) = (link.clone(), group.stop_token());
    group.spawn("link", async move { running.run(stop).await });
    world.append(&log, 6).await?;
    world.until_count(&log, 6).await?;
    let right = world.west.clone();
    world.replace_source(dcp_core::position::LogIncarnation::from_bytes([9; 16])).await?;
    world.append(&log, 1).await?;
    world.rest().await;
    assert_eq!(link.status().await?.state, LinkState::Failed);
    let operation = world.operation(1)?;
    link.release(&operation).await?;
    world.rest().await;
    assert_eq!(link.status().await?.state, LinkState::Failed, "the same divergence fails it again");

    world.source.replace(right);
    let operation = world.operation(1)?;
    link.release(&operation).await?;
    world.rest().await;
    let status = link.status().await?;
    assert_eq!((status.state, status.failure), (LinkState::Active, None));
    group.stop().await?;
    Ok(())
}

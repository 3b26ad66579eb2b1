//! L2: crashes and unknown outcomes.

use super::{CopyFault, MirrorLinkFixture, World};
use crate::testing::Violation;

/// L2: after a crash, or an unknown outcome of a copy, it goes on where the mirror stands.
///
/// # Errors
/// The violation.
pub async fn l2_goes_on_where_the_mirror_stands<Fx: MirrorLinkFixture>() -> Result<(), Violation> {
    let mut world = World::start().await?;
    let log = World::logs().remove(0);
    // The copy is durable and its answer never comes; then everything crashes.
    for landed_before in 0..3 {
        let running = world.run::<Fx>()?;
        running.copies.plan(landed_before, CopyFault::Hangs);
        for _ in 0..=landed_before {
            world.append(&log, 5).await?;
            world.clock.sleep(std::time::Duration::from_millis(100)).await;
        }
        world.until("a copy hangs", || running.copies.fired()).await?;
        world.crash(running).await;
        let again = world.run::<Fx>()?;
        world.until_equal().await?;
        world.rest().await;
        world.until_equal().await?;
        world.crash(again).await;
    }
    // The copy was under way and not durable when everything crashed.
    let running = world.run::<Fx>()?;
    world.rest().await;
    let hold = world.east.hold_sync();
    world.append(&log, 5).await?;
    world.rest().await;
    world.crash(running).await;
    drop(hold);
    let running = world.run::<Fx>()?;
    world.until_equal().await?;
    world.crash(running).await;
    // The outcome is not known, and the worker lives on.
    let running = world.run::<Fx>()?;
    for fault in [CopyFault::AnswerLost, CopyFault::RequestLost] {
        running.copies.plan(0, fault);
        world.append(&log, 5).await?;
        world.until("an outcome is lost", || running.copies.fired()).await?;
        world.until_equal().await?;
    }
    world.rest().await;
    world.until_equal().await?;
    running.stop().await?;
    Ok(())
}

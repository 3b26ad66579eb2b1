//! L1 and L6: what is copied, and by whom.

use bytes::Bytes;

use super::{MirrorLinkFixture, World};
use crate::demand;
use crate::error::ErrorKind;
use crate::testing::Violation;
use crate::testing::fixtures::event_of;

/// L1: same records, same order, same bytes, at every moment.
///
/// # Errors
/// The violation.
pub async fn l1_mirror_is_a_prefix<Fx: MirrorLinkFixture>() -> Result<(), Violation> {
    let mut world = World::start().await?;
    let running = world.run::<Fx>()?;
    for round in 0..6_u64 {
        for (log, base) in World::logs().iter().zip([10_000, 20_000]) {
            world.append(log, 7).await?;
            // What a lossy copy would change: repeated headers, an empty key, an empty payload.
            let mut odd = event_of("odd", base + round)
                .with_key(Bytes::new())
                .with_header("trace", Bytes::from_static(b"one"))
                .with_header("trace", Bytes::from_static(b"two"));
            odd.payload = Bytes::new();
            world.append_events(log, vec![odd]).await?;
        }
        world.clock.sleep(std::time::Duration::from_millis(13)).await;
        world.demand_prefix().await?;
    }
    world.until_equal().await?;
    running.stop().await?;
    Ok(())
}

/// L6: two workers of one link never both copy.
///
/// # Errors
/// The violation.
pub async fn l6_later_worker_fences_the_earlier<Fx: MirrorLinkFixture>() -> Result<(), Violation> {
    let mut world = World::start().await?;
    let log = World::logs().remove(0);
    let earlier = world.run::<Fx>()?;
    world.append(&log, 3).await?;
    world.until_count(&log, 3).await?;
    let later = world.run::<Fx>()?;
    world.rest().await;
    let before = earlier.copies.landed();
    demand!(before > 0, "the earlier worker copied nothing while it was alone");
    for _ in 0..20 {
        world.append(&log, 3).await?;
        world.clock.sleep(std::time::Duration::from_millis(40)).await;
    }
    world.until_count(&log, 63).await?;
    world.rest().await;
    let after = earlier.copies.landed();
    demand!(after == before, "the earlier worker copied {} batches after the later one began", after - before);
    demand!(later.copies.landed() > 0, "the later worker copied nothing");
    match earlier.ended(world.clock.as_ref()).await {
        Err(error) if error.kind() == ErrorKind::Fenced => {}
        other => return Err(Violation(format!("the earlier worker ended with {other:?}, expected fenced"))),
    }
    later.stop().await?;
    Ok(())
}

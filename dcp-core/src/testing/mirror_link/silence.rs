//! L10: a local store that does not answer.

use std::time::Duration;

use super::{MirrorLinkFixture, World};
use crate::demand;
use crate::testing::Violation;

/// Calls that are not answered, one after the other.
const UNANSWERED: usize = 3;
/// Calls before the first of them: those of opening, and of some rounds.
const BEFORE_MOST: usize = 40;
const BETWEEN: Duration = Duration::from_millis(50);

/// L10: while the local store does not answer, at whichever of its calls, the link waits; then it goes
/// on where the mirror stands.
///
/// # Errors
/// The violation.
pub async fn l10_waits_for_its_own_store<Fx: MirrorLinkFixture>() -> Result<(), Violation> {
    let mut world = World::start().await?;
    for before in 0..BEFORE_MOST {
        let running = world.run::<Fx>()?;
        running.copies.fall_silent(before, UNANSWERED);
        for log in World::logs() {
            world.append(&log, 2).await?;
            world.beat::<Fx>().await?;
            world.clock.sleep(BETWEEN).await;
        }
        for _ in 0..BEFORE_MOST {
            if running.copies.is_silence_over() {
                break;
            }
            world.append(&World::logs().remove(0), 1).await?;
            world.rest().await;
        }
        demand!(running.copies.is_silence_over(), "after {before} calls the link asked its own store nothing more");
        if let Err(violation) = world.until_equal().await {
            let ended = running.stop().await;
            return Err(Violation(format!("silent after {before} calls: {violation}; the worker: {ended:?}")));
        }
        running.stop().await?;
    }
    Ok(())
}

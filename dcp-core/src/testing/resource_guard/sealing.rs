use std::time::Duration;

use super::{ResourceGuardFixture, Scene};
use crate::demand;
use crate::fence::FencingToken;
use crate::operation::SealReceipt;
use crate::testing::Violation;

// Long enough for a seal that does not wait to have answered.
const PATIENCE: Duration = Duration::from_millis(30);

/// G4: when `seal` has answered, no effect admitted below it lands any more: it waits for what is in
/// flight, and its receipt names the ends after the last of it. A guard that is closed is drained
/// by a seal at its own epoch too.
///
/// # Errors
/// The violation.
pub async fn g4_seal_drains<Fx: ResourceGuardFixture>() -> Result<(), Violation> {
    seal_waits::<Fx>(false, |scene| scene.east_token(2, 1)).await?;
    seal_waits::<Fx>(true, |scene| scene.west_token(1, 1)).await
}

async fn seal_waits<Fx: ResourceGuardFixture>(
    closed: bool,
    token: impl Fn(&Scene) -> FencingToken,
) -> Result<(), Violation> {
    let (fixture, scene) = (Fx::start().await, Scene::set());
    let (guard, grant, token) = (fixture.guard(), scene.west(1), token(&scene));
    guard.open(&grant).await?;
    let permit = guard.admit(&grant, scene.now)?;
    let effect = fixture.prepare(&grant).await?;
    if closed {
        guard.close("the clause closes it").await;
    }
    let mut seal = guard.seal(&token);
    let early = tokio::time::timeout(PATIENCE, &mut seal).await;
    demand!(early.is_err(), "a seal at {} answered while an effect was in flight: {early:?}", token.rank());
    effect.land().await?;
    permit.applied(scene.now).map_err(|doubt| Violation(format!("an admitted effect was doubted: {doubt}")))?;
    let receipt = seal.await?;
    demand!(sealed(&receipt) == 1, "the receipt's ends miss the effect that was in flight: {receipt:?}");
    let again = guard.seal(&token).await?;
    demand!(again == receipt, "sealed again, the guard answered {again:?} after {receipt:?}");
    Ok(())
}

/// G5: a permit that was dropped without an outcome blocks the seal until the resource itself has
/// shown that nothing of it can still land.
///
/// # Errors
/// The violation.
pub async fn g5_dropped_permits_block_the_seal<Fx: ResourceGuardFixture>() -> Result<(), Violation> {
    nothing_lands_after::<Fx>(false, |scene| scene.east_token(2, 1)).await?;
    nothing_lands_after::<Fx>(true, |scene| scene.west_token(1, 1)).await
}

async fn nothing_lands_after<Fx: ResourceGuardFixture>(
    closed: bool,
    token: impl Fn(&Scene) -> FencingToken,
) -> Result<(), Violation> {
    let (fixture, scene) = (Fx::start().await, Scene::set());
    let (guard, grant, token) = (fixture.guard(), scene.west(1), token(&scene));
    guard.open(&grant).await?;
    drop(guard.admit(&grant, scene.now)?);
    let straggler = fixture.prepare(&grant).await?;
    if closed {
        guard.close("the clause closes it").await;
    }
    fixture.cut_resource(true);
    let blind = tokio::time::timeout(PATIENCE, guard.seal(&token)).await;
    demand!(!matches!(blind, Ok(Ok(_))), "a seal at {} answered without the resource: {blind:?}", token.rank());
    fixture.cut_resource(false);
    let receipt = guard.seal(&token).await?;
    let landed = straggler.land().await;
    let holds = fixture.holds().await?;
    demand!(
        holds == sealed(&receipt),
        "an effect whose permit was dropped landed after the seal at {} ({landed:?}): {holds} held, {receipt:?}",
        token.rank()
    );
    Ok(())
}

fn sealed(receipt: &SealReceipt) -> u64 {
    receipt.ends.iter().map(|(_, end)| end.prefix.count).sum()
}

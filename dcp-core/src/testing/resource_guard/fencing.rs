use super::{ResourceGuardFixture, Scene, is_fenced, is_not_applied};
use crate::demand;
use crate::ownership::Epoch;
use crate::testing::Violation;

/// G2: the fence survives a crash of the guard: what was refused before is refused after.
///
/// # Errors
/// The violation.
pub async fn g2_fence_survives_a_crash<Fx: ResourceGuardFixture>() -> Result<(), Violation> {
    let (mut fixture, scene) = (Fx::start().await, Scene::set());
    fixture.guard().open(&scene.west(1)).await?;
    fixture.crash().await;
    let opened = fixture.guard().fence().await?.highest().map(|rank| rank.epoch);
    demand!(opened == Some(Epoch::GENESIS), "an open guard came back with its fence at {opened:?}");
    let token = scene.east_token(2, 5);
    fixture.guard().seal(&token).await?;
    fixture.crash().await;
    let guard = fixture.guard();
    let fence = guard.fence().await?;
    demand!(fence.highest() == Some(&token.rank()), "a sealed guard came back with its fence at {fence:?}");
    let lower = guard.seal(&scene.west_token(1, 9)).await.err();
    demand!(is_fenced(lower.as_ref()), "a seal below the fence was answered with {lower:?}");
    let reopened = guard.open(&scene.west(1)).await.err();
    demand!(is_fenced(reopened.as_ref()), "the guard was opened below its fence: {reopened:?}");
    Ok(())
}

/// G3: the fence never goes down, whatever is presented.
///
/// # Errors
/// The violation.
pub async fn g3_fence_never_goes_down<Fx: ResourceGuardFixture>() -> Result<(), Violation> {
    let (fixture, scene) = (Fx::start().await, Scene::set());
    let guard = fixture.guard();
    let highest = scene.east_token(3, 5);
    guard.seal(&highest).await?;
    for lower in [scene.east_token(2, 9), scene.west_token(2, 9), scene.west_token(1, 99), scene.east_token(3, 4)] {
        let outcome = guard.seal(&lower).await.err();
        demand!(is_fenced(outcome.as_ref()), "a seal at {} was answered with {outcome:?}", lower.rank());
        let fence = guard.fence().await?;
        demand!(fence.highest() == Some(&highest.rank()), "{} moved the fence to {fence:?}", lower.rank());
    }
    let opened = guard.open(&scene.west(2)).await.err();
    demand!(is_fenced(opened.as_ref()), "the guard was opened below its fence: {opened:?}");
    let fence = guard.fence().await?;
    demand!(fence.highest() == Some(&highest.rank()), "opening moved the fence to {fence:?}");
    Ok(())
}

/// G7: two issuers in one epoch are both refused, until a higher epoch is sealed.
///
/// # Errors
/// The violation.
pub async fn g7_two_issuers_are_both_refused<Fx: ResourceGuardFixture>() -> Result<(), Violation> {
    let (fixture, scene) = (Fx::start().await, Scene::set());
    let guard = fixture.guard();
    guard.seal(&scene.east_token(2, 5)).await?;
    let second = guard.seal(&scene.west_token(2, 1)).await.err();
    demand!(is_not_applied(second.as_ref(), "dual-claim"), "the second issuer was answered with {second:?}");
    let first = guard.seal(&scene.east_token(2, 6)).await.err();
    demand!(is_not_applied(first.as_ref(), "dual-claim"), "the first issuer was then answered with {first:?}");
    let opened = guard.open(&scene.west(2)).await.err();
    demand!(is_fenced(opened.as_ref()), "a contested epoch opened the guard: {opened:?}");
    guard.seal(&scene.east_token(3, 1)).await?;
    Ok(())
}

/// G8: a lower revision of the same issuer and epoch is `stale` on an attempt and
/// `revision-regressed` on a seal.
///
/// # Errors
/// The violation.
pub async fn g8_lower_revisions_are_told<Fx: ResourceGuardFixture>() -> Result<(), Violation> {
    let (fixture, scene) = (Fx::start().await, Scene::set());
    let guard = fixture.guard();
    guard.seal(&scene.west_token(1, 250)).await?;
    let current = fixture.attempt(&scene.west_token(1, 250)).await;
    demand!(current.is_ok(), "the current term was refused: {current:?}");
    let attempt = fixture.attempt(&scene.west_token(1, 50)).await.err();
    let stale = attempt.as_ref().is_some_and(|error| error.code() == "stale");
    demand!(stale, "an attempt under a lower revision was answered with {attempt:?}");
    let seal = guard.seal(&scene.west_token(1, 50)).await.err();
    demand!(
        is_not_applied(seal.as_ref(), "revision-regressed"),
        "a seal at a lower revision was answered with {seal:?}"
    );
    Ok(())
}

use super::{ResourceGuardFixture, Scene, is_fenced};
use crate::ErrorKind;
use crate::demand;
use crate::testing::Violation;

/// G1: a grant below the fence is refused with `Fenced`, and nothing is forwarded.
///
/// # Errors
/// The violation.
pub async fn g1_below_the_fence_is_refused<Fx: ResourceGuardFixture>() -> Result<(), Violation> {
    let (fixture, scene) = (Fx::start().await, Scene::set());
    let guard = fixture.guard();
    guard.open(&scene.west(2)).await?;
    let refused = guard.admit(&scene.west(1), scene.now).err().map(|error| error.kind());
    demand!(refused == Some(ErrorKind::Fenced), "epoch 1 was not fenced off by epoch 2: {refused:?}");
    guard.seal(&scene.east_token(3, 1)).await?;
    for epoch in [1, 2] {
        let refused = guard.admit(&scene.west(epoch), scene.now).err().map(|error| error.kind());
        demand!(refused == Some(ErrorKind::Fenced), "epoch {epoch} was not fenced off by epoch 3: {refused:?}");
        let reopened = guard.open(&scene.west(epoch)).await.err();
        demand!(is_fenced(reopened.as_ref()), "the guard was opened below its fence: {reopened:?}");
    }
    demand!(fixture.holds().await? == 0, "something was forwarded");
    Ok(())
}

/// G11: an election does not refuse an append: a grant of the current epoch is admitted under any
/// term.
///
/// # Errors
/// The violation.
pub async fn g11_elections_refuse_no_append<Fx: ResourceGuardFixture>() -> Result<(), Violation> {
    let (fixture, scene) = (Fx::start().await, Scene::set());
    let guard = fixture.guard();
    let first_grant = scene.west(1);
    guard.open(&first_grant).await?;
    for revision in [3, 8, 21] {
        guard.seal(&scene.west_token(1, revision)).await?;
        let permit = guard.admit(&first_grant, scene.now);
        let permit = permit.map_err(|error| Violation(format!("term {revision} refused the first grant: {error}")))?;
        fixture.prepare(&first_grant).await?.land().await?;
        permit.applied(scene.now).map_err(|doubt| Violation(format!("term {revision} doubts it: {doubt}")))?;
    }
    demand!(fixture.holds().await? == 3, "the resource holds {} of 3 effects", fixture.holds().await?);
    Ok(())
}

/// G12: a guard that starts admits nothing until its fence was read and it was opened by the
/// current owner's grant.
///
/// # Errors
/// The violation.
pub async fn g12_starts_closed<Fx: ResourceGuardFixture>() -> Result<(), Violation> {
    let (mut fixture, scene) = (Fx::start().await, Scene::set());
    let grant = scene.west(1);
    demand!(fixture.guard().admit(&grant, scene.now).is_err(), "a fresh guard admitted an append");
    fixture.guard().open(&grant).await?;
    fixture.guard().admit(&grant, scene.now)?.not_applied();
    fixture.crash().await;
    let guard = fixture.guard();
    demand!(guard.admit(&grant, scene.now).is_err(), "a guard that started again admitted an append");
    guard.fence().await?;
    demand!(guard.admit(&grant, scene.now).is_err(), "reading the fence opened the guard");
    guard.open(&grant).await?;
    guard.admit(&grant, scene.now)?.not_applied();
    guard.close("the clause closes it").await;
    let closed = guard.admit(&grant, scene.now).err().map(|error| error.kind());
    demand!(closed == Some(ErrorKind::Retry), "a closed guard answered {closed:?}");
    Ok(())
}

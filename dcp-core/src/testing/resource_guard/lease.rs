use super::{ResourceGuardFixture, Scene};
use crate::ErrorKind;
use crate::clock::Moment;
use crate::demand;
use crate::testing::Violation;

const END: Moment = Moment::from_nanos(10_000);
const BEFORE: Moment = Moment::from_nanos(9_999);

/// G9: a grant is admitted only while its ownership lease is valid; run out: refused, not applied.
///
/// # Errors
/// The violation.
pub async fn g9_admits_only_under_a_lease<Fx: ResourceGuardFixture>() -> Result<(), Violation> {
    let (fixture, scene) = (Fx::start().await, Scene::set());
    let (guard, grant) = (fixture.guard(), scene.west(1));
    guard.open(&grant).await?;
    fixture.lease_until(END);
    guard.admit(&grant, BEFORE)?.not_applied();
    let refused = guard.admit(&grant, END).err().map(|error| error.kind());
    demand!(refused == Some(ErrorKind::Fenced), "an append at the end of its lease was answered with {refused:?}");
    demand!(fixture.holds().await? == 0, "something was forwarded");
    Ok(())
}

/// G10: a permit is confirmed only if the lease is still valid after the effect; run out: in
/// doubt, never success.
///
/// # Errors
/// The violation.
pub async fn g10_confirms_only_under_a_lease<Fx: ResourceGuardFixture>() -> Result<(), Violation> {
    let (fixture, scene) = (Fx::start().await, Scene::set());
    let (guard, grant) = (fixture.guard(), scene.west(1));
    guard.open(&grant).await?;
    fixture.lease_until(END);
    for (settled, confirmed) in [(BEFORE, true), (END, false)] {
        let permit = guard.admit(&grant, scene.now)?;
        fixture.prepare(&grant).await?.land().await?;
        let outcome = permit.applied(settled);
        demand!(outcome.is_ok() == confirmed, "an effect settled at {settled:?} was answered with {outcome:?}");
    }
    demand!(fixture.holds().await? == 2, "the resource holds {} of 2 effects", fixture.holds().await?);
    Ok(())
}

//! J1, J2, J4, J7: what is durable, and who may write.

use tokio_util::sync::CancellationToken;

use super::JournalFixture;
use super::crash::Moment;
use super::rig::Rig;
use super::toy::toy_plan;
use crate::demand;
use crate::error::{ErrorKind, Failure};
use crate::ids::StepId;
use crate::ports::Facts;
use crate::ports::failpoints::points;
use crate::runbook::{Direction, JournalEntry, RunEnd, Stage};
use crate::testing::Violation;

/// J1 An answered append survives a crash.
///
/// # Errors
/// The violation.
pub async fn j1_answers_survive_a_crash<Fx: JournalFixture>() -> Result<(), Violation> {
    let mut rig = Rig::<Fx>::start(2).await?;
    let driver = rig.driver().await?;
    driver.note("alert", Facts::new().with("cause", &"lag")?).await?;
    drop(driver);
    rig.fixture.crash().await;
    let lines = rig.export().await?;
    let last = match lines.last() {
        Some(line) => Some(line.record()?.entry),
        None => None,
    };
    let note = matches!(&last, Some(JournalEntry::Note { name, .. }) if name == "alert");
    demand!(note, "an answered note is gone after a crash; the journal ends with {last:?}");
    Ok(())
}

/// J2 An intent is durable before the step acts.
///
/// # Errors
/// The violation.
pub async fn j2_intents_come_first<Fx: JournalFixture>() -> Result<(), Violation> {
    // The commits are: driver taken, run opened, intent of `a`.
    let mut rig = Rig::<Fx>::start(2).await?;
    let ended = rig.crash_commit(2, Moment::BeforeCommit).await?;
    demand!(ended.is_none(), "the run ended without its third commit: {ended:?}");
    let effects = rig.world.effects();
    demand!(effects.is_empty(), "acted before the intent was durable: {effects:?}");

    let mut rig = Rig::<Fx>::start(2).await?;
    rig.crash_at(points::STEP_ACTED, "a").await?;
    let a = StepId::new("a")?;
    let state = rig.journal().await?.run(&rig.run).await?.map(|run| run.step(&a, Direction::Forward));
    let intended = state.as_ref().is_some_and(|step| step.stage == Stage::Intended);
    demand!(intended, "the step has acted and the journal holds no intent: {state:?}");
    Ok(())
}

/// J4 Once a newer term has taken the journal, an older driver cannot append.
///
/// # Errors
/// The violation.
pub async fn j4_older_drivers_are_fenced<Fx: JournalFixture>() -> Result<(), Violation> {
    let mut rig = Rig::<Fx>::start(2).await?;
    let older = rig.driver().await?;
    older.open_run(&rig.run, &toy_plan(2)?).await?;
    let newer = rig.driver().await?;
    let before = rig.export().await?;
    let noted = older.note("late", Facts::new()).await;
    let fenced = matches!(&noted, Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Fenced);
    demand!(fenced, "an older driver's append answered {noted:?}, not Fenced");
    let catalog = rig.fixture.catalog(&rig.world);
    let driven = older.drive(&rig.run, &*catalog, &CancellationToken::new()).await;
    let fenced = matches!(&driven, Err(error) if error.kind() == ErrorKind::Fenced);
    demand!(fenced, "an older driver's drive answered {driven:?}, not Fenced");
    demand!(rig.world.effects().is_empty(), "an older driver acted: {:?}", rig.world.effects());
    let after = rig.export().await?;
    demand!(after == before, "an older driver changed the journal");
    let ended = rig.drive(&newer).await?;
    demand!(ended == RunEnd::Done, "the newer driver cannot go on: {ended:?}");
    Ok(())
}

/// J7 The journal as it was is a prefix of the journal after a resume.
///
/// # Errors
/// The violation.
pub async fn j7_the_old_journal_is_a_prefix<Fx: JournalFixture>() -> Result<(), Violation> {
    let mut rig = Rig::<Fx>::start(3).await?;
    let before = rig.crash_at(points::STEP_OUTCOME, "b").await?;
    let ended = rig.resume().await?;
    demand!(ended == RunEnd::Done, "the resumed run ended as {ended:?}");
    let after = rig.export().await?;
    demand!(!before.is_empty() && after.len() > before.len(), "{} lines, then {}", before.len(), after.len());
    for (old, new) in before.iter().zip(&after) {
        demand!(old == new, "entry {} was {} and is {}", old.sequence, old.entry, new.entry);
    }
    Ok(())
}

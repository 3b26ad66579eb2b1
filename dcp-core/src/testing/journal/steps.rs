//! J5, J9, J10, J11: steps across crashes and retries.

use super::JournalFixture;
use super::rig::Rig;
use crate::demand;
use crate::ids::StepId;
use crate::ports::failpoints::points;
use crate::runbook::{Direction, JournalEntry, RunEnd};
use crate::testing::Violation;

/// J5 An intent without outcome is probed after a crash, never blindly repeated.
///
/// # Errors
/// The violation.
pub async fn j5_intents_are_probed<Fx: JournalFixture>() -> Result<(), Violation> {
    let mut rig = Rig::<Fx>::start(3).await?;
    rig.world.recognise_by_key();
    rig.crash_at(points::STEP_ACTED, "b").await?;
    let ended = rig.resume().await?;
    demand!(ended == RunEnd::Done, "the resumed run ended as {ended:?}");
    let effects = rig.world.effects_of("b");
    demand!(effects.len() == 1, "step b acted {} times across a crash", effects.len());
    Ok(())
}

/// J9 The nonce of a step is the same in every attempt, across crashes and retries.
///
/// # Errors
/// The violation.
pub async fn j9_nonces_are_kept<Fx: JournalFixture>() -> Result<(), Violation> {
    let mut rig = Rig::<Fx>::start(2).await?;
    rig.crash_at(points::STEP_INTENT, "b").await?;
    let ended = rig.resume().await?;
    demand!(ended == RunEnd::Done, "the resumed run ended as {ended:?}");
    let mut nonces = Vec::new();
    for line in rig.export().await? {
        match line.record()?.entry {
            JournalEntry::Intent { step, direction: Direction::Forward, nonce, .. } if step.as_str() == "b" => {
                nonces.push(nonce);
            }
            _ => {}
        }
    }
    nonces.extend(rig.world.effects_of("b").iter().map(|effect| effect.nonce));
    let first = nonces.first().copied();
    demand!(nonces.len() >= 2, "expected an intent and an effect of step b, found {nonces:?}");
    demand!(nonces.iter().all(|nonce| Some(*nonce) == first), "step b has several nonces: {nonces:?}");
    Ok(())
}

/// J10 Facts of done steps are handed to later ones, also after a crash.
///
/// # Errors
/// The violation.
pub async fn j10_facts_are_handed_on<Fx: JournalFixture>() -> Result<(), Violation> {
    let mut rig = Rig::<Fx>::start(3).await?;
    rig.crash_at(points::STEP_OUTCOME, "b").await?;
    let ended = rig.resume().await?;
    demand!(ended == RunEnd::Done, "the resumed run ended as {ended:?}");
    let known: Vec<Vec<StepId>> = rig.world.effects_of("c").into_iter().map(|effect| effect.done).collect();
    let expected = vec![vec![StepId::new("a")?, StepId::new("b")?]];
    demand!(known == expected, "step c knew the facts of {known:?}, not of {expected:?}");
    Ok(())
}

/// J11 A probe recognises the run's own effect by its nonce and nobody else's.
///
/// # Errors
/// The violation.
pub async fn j11_probes_recognise_their_own<Fx: JournalFixture>() -> Result<(), Violation> {
    let mut rig = Rig::<Fx>::start(2).await?;
    rig.world.claim_by_another("a");
    let ended = rig.resume().await?;
    let refused = matches!(&ended, RunEnd::Failed { step, error }
        if step.as_str() == "a" && error.code() == "slot-taken");
    demand!(refused, "slot a holds another's mark, and the run ended as {ended:?}");
    Ok(())
}

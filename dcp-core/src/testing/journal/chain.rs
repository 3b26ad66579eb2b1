//! J3, J6, J8: the chain, its signatures, and the pinned plan.

use std::sync::Arc;

use bytes::Bytes;

use super::JournalFixture;
use super::rig::{Rig, keys};
use super::toy::toy_plan;
use crate::clock::TokioClock;
use crate::demand;
use crate::error::{ErrorKind, Failure};
use crate::ids::KeyId;
use crate::ports::{Entry, Facts, Key, StateStore, Transaction};
use crate::runbook::{Anchor, ExportLine, HEAD_CONTEXT, Journal, RunEnd};
use crate::signed::Signer;
use crate::testing::Violation;

async fn finished<Fx: JournalFixture>() -> Result<Rig<Fx>, Violation> {
    let mut rig = Rig::<Fx>::start(2).await?;
    let ended = rig.resume().await?;
    demand!(ended == RunEnd::Done, "the run ended as {ended:?}");
    Ok(rig)
}

type Damage = (&'static str, fn(&mut Vec<ExportLine>));

fn damages() -> Vec<Damage> {
    vec![
        ("changed", |lines| lines[1].entry = lines[1].entry.replacen("toy", "toi", 1)),
        ("reordered", |lines| lines.swap(2, 3)),
        ("reordered and renumbered", |lines| {
            lines.swap(2, 3);
            lines[2].sequence = 3;
            lines[3].sequence = 4;
        }),
        ("removed", |lines| drop(lines.remove(2))),
        ("inserted", |lines| {
            let line = lines[0].clone();
            lines.insert(1, line);
        }),
    ]
}

/// J3 A changed, reordered, inserted or removed entry is found, and a cut against an anchor.
///
/// # Errors
/// The violation.
pub async fn j3_changes_are_found<Fx: JournalFixture>() -> Result<(), Violation> {
    let rig = finished::<Fx>().await?;
    let lines = rig.export().await?;
    let summary = rig.fixture.verify(&lines, &keys()?)?;
    for (name, damage) in damages() {
        let mut damaged = lines.clone();
        damage(&mut damaged);
        let verified = rig.fixture.verify(&damaged, &keys()?);
        let found = matches!(&verified, Err(error) if error.kind() == ErrorKind::Corrupt);
        demand!(found, "an export with an entry {name} verifies as {verified:?}");
    }
    let cut = rig.fixture.verify(&lines[..lines.len() - 1], &keys()?)?;
    demand!(cut.end != summary.end, "a cut export ends like the whole one");
    stored_damage_is_found::<Fx>().await?;
    cut_is_found_by_its_anchor::<Fx>().await
}

async fn entries(store: &dyn StateStore) -> Result<Vec<Entry>, Violation> {
    Ok(store.scan("journal/entry/", None, 100).await?)
}

async fn stored_damage_is_found<Fx: JournalFixture>() -> Result<(), Violation> {
    for case in ["changed", "swapped", "removed", "beyond the head"] {
        let rig = finished::<Fx>().await?;
        let store = rig.fixture.store();
        let stored = entries(&*store).await?;
        let (first, second) = (&stored[1], &stored[2]);
        let damage = Transaction::new();
        let damage = match case {
            "changed" => {
                let text = String::from_utf8_lossy(&first.value).replacen("toy-run", "toi-run", 1);
                damage.put(first.key.clone(), text)
            }
            "swapped" => {
                damage.put(first.key.clone(), second.value.clone()).put(second.key.clone(), first.value.clone())
            }
            "removed" => damage.delete(first.key.clone()),
            _ => damage.put(Key::new(format!("journal/entry/{:020}", stored.len() + 1))?, beyond(&stored)?),
        };
        store.commit(damage).await?;
        let opened = Journal::open(store, Arc::new(TokioClock::new())).await.map(drop);
        let found = matches!(&opened, Err(error) if error.kind() == ErrorKind::Corrupt);
        demand!(found, "a stored journal with an entry {case} opens: {opened:?}");
    }
    Ok(())
}

fn beyond(stored: &[Entry]) -> Result<Bytes, Violation> {
    let mut line = ExportLine::from_json(&stored[stored.len() - 1].value)?;
    line.sequence += 1;
    Ok(line.to_json().into())
}

// Cuts the last entry and sets the head back, as somebody with full access to the store could.
async fn cut_is_found_by_its_anchor<Fx: JournalFixture>() -> Result<(), Violation> {
    let rig = finished::<Fx>().await?;
    let anchor = rig.journal().await?.anchor().await?;
    demand!(rig.journal().await?.matches_anchor(&anchor).await?, "an untouched journal does not match its anchor");
    let store = rig.fixture.store();
    let stored = entries(&*store).await?;
    let last = ExportLine::from_json(&stored[stored.len() - 1].value)?;
    let head = Key::new("journal/head")?;
    let value = store.read(&head).await?.map(|entry| entry.value).unwrap_or_default();
    let before = Anchor { sequence: last.sequence - 1, head: last.previous };
    let value = String::from_utf8_lossy(&value)
        .replace(&format!("\"sequence\":{}", anchor.sequence), &format!("\"sequence\":{}", before.sequence))
        .replace(&anchor.head.to_string(), &before.head.to_string());
    store.commit(Transaction::new().delete(stored[stored.len() - 1].key.clone()).put(head, value)).await?;
    let journal = rig.journal().await?;
    demand!(journal.anchor().await? == before, "the cut was not made; this check would be empty");
    demand!(!journal.matches_anchor(&anchor).await?, "a cut journal matches the anchor of the whole one");
    Ok(())
}

/// J6 Each outcome signs the head that it makes; a missing or foreign signature is found.
///
/// # Errors
/// The violation.
pub async fn j6_outcomes_are_signed<Fx: JournalFixture>() -> Result<(), Violation> {
    let rig = finished::<Fx>().await?;
    let lines = rig.export().await?;
    let summary = rig.fixture.verify(&lines, &keys()?)?;
    demand!(summary.signatures == 3, "2 outcomes and 1 closing, but {} signatures", summary.signatures);
    let signed: Vec<usize> = (0..lines.len()).filter(|&place| lines[place].signature.is_some()).collect();
    demand!(signed.len() == 3, "expected 3 signed lines, found {}", signed.len());
    let mut missing = lines.clone();
    missing[signed[0]].signature = None;
    missing[signed[0]].key = None;
    let mut swapped = lines.clone();
    swapped[signed[0]].signature = lines[signed[1]].signature.clone();
    let mut foreign = lines.clone();
    let end = Anchor { sequence: lines[signed[0]].sequence, head: lines[signed[0]].hash };
    let stranger = Signer::new(KeyId::new("journal-test")?, &[8; 32]);
    foreign[signed[0]].signature = Some(hex::encode(stranger.sign_bytes(HEAD_CONTEXT, &end.signed_bytes())));
    for (name, lines) in [("missing", missing), ("another entry's", swapped), ("a stranger's", foreign)] {
        let verified = rig.fixture.verify(&lines, &keys()?);
        let found = matches!(&verified, Err(error) if error.kind() == ErrorKind::Corrupt);
        demand!(found, "an export with {name} signature verifies as {verified:?}");
    }
    Ok(())
}

/// J8 A run's plan is pinned: another plan under the same run id is refused.
///
/// # Errors
/// The violation.
pub async fn j8_plans_are_pinned<Fx: JournalFixture>() -> Result<(), Violation> {
    let mut rig = Rig::<Fx>::start(2).await?;
    let driver = rig.driver().await?;
    driver.open_run(&rig.run, &toy_plan(2)?).await?;
    driver.open_run(&rig.run, &toy_plan(2)?).await?;
    let other = driver.open_run(&rig.run, &toy_plan(3)?).await;
    let refused = matches!(&other, Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Refused);
    demand!(refused, "another plan under the same run id answered {other:?}");
    driver.note("after", Facts::new()).await?;
    let pinned = rig.journal().await?.run(&rig.run).await?.map(|run| run.digest());
    demand!(pinned == Some(toy_plan(2)?.digest()), "the pinned plan changed to {pinned:?}");
    Ok(())
}

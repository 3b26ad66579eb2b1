//! M2: whenever it mattered, the mirror was a prefix of its source.

use std::collections::BTreeMap;

use dcp_core::log::LogId;
use dcp_core::ownership::Evidence;
use dcp_core::position::{Cut, LogEnd};

use super::finding::{Checks, Finding};
use super::gathered::Gathered;
use super::history::{StepFact, changes};
use super::table::prefix_of;

const STATEMENT: &str = "At every takeover, planned move and return the mirror was a prefix of its source, and no log grew after it was sealed.";

pub(super) fn judge(from: &Gathered) -> Finding {
    let mut checks = Checks::new();
    // Mirrored records of each log at the last takeover before its return.
    let mut mirrored: BTreeMap<LogId, (u64, u64)> = BTreeMap::new();
    for (_, _, link) in changes(&from.chains) {
        match &link.evidence {
            Evidence::LeaseRunOut { mirrored_ends, .. } => {
                for (log, end) in mirrored_ends.iter() {
                    held_by_all(&mut checks, from, log, end, "mirrored at the takeover");
                    mirrored.insert(log.clone(), (end.prefix.count, link.epoch));
                }
            }
            Evidence::Sealed { ends } => sealed(&mut checks, from, ends, link.epoch),
            _ => {}
        }
    }
    for classified in from.story.steps.iter().filter(|fact| fact.step == "classify" && fact.is_done()) {
        returned(&mut checks, from, classified, &mut mirrored);
    }
    checks.finding("M2", STATEMENT)
}

// Source and mirror both begin with what was named.
fn held_by_all(checks: &mut Checks, from: &Gathered, log: &LogId, end: &LogEnd, when: &str) {
    let Some(number) = from.logs.find(log) else {
        return checks.check(false, || format!("{log}, {when}, is no log of the treaty"));
    };
    for (home, table) in &from.stores {
        let held = prefix_of(&table.logs[number], end.prefix.count);
        checks.check(held == Some(end.prefix), || {
            format!("{log} in {}: its first {} records are not those {when}", home.region(), end.prefix.count)
        });
    }
}

// What follows the ends was written under a later epoch than the one that sealed.
fn sealed(checks: &mut Checks, from: &Gathered, ends: &Cut, epoch: u64) {
    for (log, end) in ends.iter() {
        held_by_all(checks, from, log, end, "sealed");
        let Some((number, table)) =
            from.logs.find(log).and_then(|number| Some((number, from.stores.get(&from.logs.entry(number).origin)?)))
        else {
            continue;
        };
        let count = usize::try_from(end.prefix.count).unwrap_or(usize::MAX);
        let leaked = table.logs[number].iter().skip(count).find(|row| row.epoch <= epoch);
        checks.check(leaked.is_none(), || {
            let by = leaked.map_or(0, |row| row.epoch);
            format!("{log}: appended to under epoch {by} after it was sealed for epoch {epoch}")
        });
    }
}

fn returned(checks: &mut Checks, from: &Gathered, classified: &StepFact, mirrored: &mut BTreeMap<LogId, (u64, u64)>) {
    let ends = from.story.done(&classified.run, "seal-returned").and_then(|fact| fact.facts.get::<Cut>("ends").ok());
    let classes = classified.facts.get::<BTreeMap<LogId, String>>("classes");
    let unreplicated = classified.facts.get::<BTreeMap<LogId, u64>>("unreplicated");
    let (Some(ends), Ok(classes), Ok(unreplicated)) = (ends, classes, unreplicated) else {
        return checks
            .check(false, || format!("run {}: its journal lacks what the return was judged by", classified.run));
    };
    for (log, class) in &classes {
        checks.check(class == "intact", || format!("{log} returned {class}"));
    }
    for (log, end) in ends.iter() {
        let (before, epoch) = mirrored.get(log).copied().unwrap_or((0, 0));
        sealed(checks, from, &[(log.clone(), *end)].into_iter().collect(), epoch);
        if let Some(held) = mirrored.get_mut(log) {
            // A return that is ordered again, after a crash, finds the whole tail delivered.
            held.0 = end.prefix.count;
            let tail = end.prefix.count.checked_sub(before);
            checks.check(tail.is_some() && tail == unreplicated.get(log).copied(), || {
                format!(
                    "{log}: {} records sealed, {before} mirrored, and {:?} called unreplicated",
                    end.prefix.count,
                    unreplicated.get(log)
                )
            });
        }
    }
}

//! M1: at the end each mirror is its source, and nothing is missing or held twice.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Checks, Finding};
use super::gathered::{Derived, Gathered};
use super::table::{Row, StoreTable};
use crate::orders::Home;

const STATEMENT: &str = "At the end every mirror equals its source as a sequence of id, epoch, version and content; every line is in every region, once, or once per log if it was in doubt.";

pub(super) fn judge(from: &Gathered, derived: &Derived) -> Finding {
    let mut checks = Checks::new();
    for (number, entry) in from.logs.iter() {
        let Some(source) = from.stores.get(&entry.origin) else { continue };
        for (home, mirror) in from.stores.iter().filter(|(home, _)| **home != entry.origin) {
            let place = || format!("{} in {}", entry.id, home.region());
            sequences(&mut checks, &source.logs[number], &mirror.logs[number], &place);
        }
    }
    for (home, table) in &from.stores {
        for foreign in &table.foreign {
            checks.check(false, || format!("{}: {foreign} is no log of the treaty", home.region()));
        }
        lines_kept(&mut checks, *home, derived);
        repeated(&mut checks, *home, table, derived);
    }
    checks.finding("M1", STATEMENT)
}

fn sequences(checks: &mut Checks, source: &[Row], mirror: &[Row], place: &dyn Fn() -> String) {
    if source.len() != mirror.len() {
        checks.check(false, || format!("{}: {} records of {}", place(), mirror.len(), source.len()));
    }
    for (number, (one, other)) in source.iter().zip(mirror).enumerate() {
        checks.check(one.digest == other.digest, || format!("{}: record {} is another", place(), number + 1));
    }
}

fn lines_kept(checks: &mut Checks, home: Home, derived: &Derived) {
    let Some(counts) = derived.counts.get(&home) else { return };
    for (line, count) in counts.iter().enumerate().skip(1) {
        checks.check(*count > 0, || {
            let told = derived.places.get(line).copied().flatten();
            let told = if told.is_some() { "acknowledged" } else { "never acknowledged" };
            format!("line {line}, {told}, is not in {}", home.region())
        });
    }
}

fn repeated(checks: &mut Checks, home: Home, table: &StoreTable, derived: &Derived) {
    let Some(counts) = derived.counts.get(&home) else { return };
    let mut logs: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (number, rows) in table.logs.iter().enumerate() {
        for row in rows.iter().filter(|row| counts.get(row.line as usize).is_some_and(|count| *count > 1)) {
            logs.entry(row.line).or_default().push(number);
        }
    }
    for (line, places) in logs.into_iter().filter(|(line, _)| *line > 0) {
        let once_each = places.iter().collect::<BTreeSet<_>>().len() == places.len();
        checks.check(once_each && derived.may_repeat.contains(&line), || {
            format!(
                "line {line} is {} times in {}; each in a log of its own: {once_each}; in doubt: {}",
                places.len(),
                home.region(),
                derived.may_repeat.contains(&line)
            )
        });
    }
}

/// Lines that the region holds in more than one log.
pub(super) fn copies(derived: &Derived, home: Home) -> u64 {
    derived.counts.get(&home).map_or(0, |counts| counts.iter().filter(|count| **count > 1).count() as u64)
}

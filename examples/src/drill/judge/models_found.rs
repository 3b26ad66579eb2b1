//! R2: a process finds its read models as a fold of its store would be, however the one before ended.

use dcp_core::ids::ProjectionId;
use dcp_core::ports::ReplayStatus;

use super::finding::{Checks, Finding};
use super::fold::fold_first;
use super::gathered::Gathered;
use super::logs::Logs;
use super::table::StoreTable;
use crate::orders::{Home, Orders, ReadModels};
use crate::region::{ModelsFound, When};

const STATEMENT: &str = "What each process of a region found in its read models at its start, after whatever end of the one before, and left at its planned end, equals a fresh fold of as much of its store as they had applied, dirty streams aside.";

/// What one process held at one end of its life, beside what its store folds to as far.
#[derive(Debug, Clone)]
pub(super) struct Found {
    life: u64,
    when: When,
    /// By model: what was held and what it should have been; none for a model of which nothing can be
    /// said, since it had applied nothing or was dirty.
    sales: Option<[String; 2]>,
    stock: Option<[String; 2]>,
}

impl Found {
    /// Folds the store as far as each model had come.
    pub(super) fn of(found: &ModelsFound, logs: &Logs, table: &StoreTable, orders: &Orders) -> Self {
        let compared = |model: &str, text: fn(&ReadModels) -> String| {
            let name = ProjectionId::new(model).ok()?;
            let dirty = found.replay.dirty.get(&name).is_some_and(|streams| *streams > 0);
            let any = found.replay.applied.get(&name)?.values().any(|count| *count > 0);
            (any && !dirty).then(|| {
                let folded = fold_first(logs, table, orders, |number| applied(&found.replay, &name, logs, number));
                [text(&found.models), folded.as_ref().map_or_else(Clone::clone, text)]
            })
        };
        Self {
            life: found.life,
            when: found.when,
            sales: compared("sales", |models| format!("{:?}", models.sales)),
            stock: compared("stock", |models| format!("{:?}", models.stock)),
        }
    }

    #[cfg(test)]
    pub(super) fn sample(held: &str, folded: &str) -> Self {
        let pair = [held.to_owned(), folded.to_owned()];
        Self { life: 1, when: When::Stop, sales: Some(pair.clone()), stock: None }
    }
}

fn applied(replay: &ReplayStatus, name: &ProjectionId, logs: &Logs, number: usize) -> usize {
    let count = replay.applied.get(name).and_then(|logs_of| logs_of.get(&logs.entry(number).id));
    usize::try_from(count.copied().unwrap_or(0)).unwrap_or(usize::MAX)
}

pub(super) fn judge(from: &Gathered) -> Finding {
    let mut checks = Checks::new();
    for (home, found) in &from.found {
        for one in found {
            for (model, pair) in [("sales", &one.sales), ("stock", &one.stock)] {
                let Some([held, folded]) = pair else { continue };
                checks.check(held == folded, || {
                    let (region, life, when) = (home.region(), one.life, one.when);
                    format!("{region}, life {life}, {when:?}: {model} held {held}, its store folds to {folded}")
                });
            }
        }
    }
    // A region that has noted nothing was not looked at.
    let told = |home: Home| from.found.get(&home).is_some_and(|found| !found.is_empty());
    let checks = if Home::ALL.into_iter().all(told) { checks } else { Checks::new() };
    checks.finding("R2", STATEMENT)
}

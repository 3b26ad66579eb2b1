//! R1 and R2: a read model is a fold of the log, whatever happened on the way.

use super::finding::{Checks, Finding};
use super::gathered::Gathered;
use crate::drill::record::{Dark, RunRecord};
use crate::orders::Home;

const R1: &str = "Each region's read models equal a fold of its own store in canonical order, and what the order file alone adds up to.";
const R2: &str = "After every start of a region's process its read models end equal to a fresh fold.";

// What is wrong with the models of a region, by what they are compared with.
fn faults(from: &Gathered, home: Home) -> [Option<String>; 2] {
    let region = home.region();
    let Some(held) = from.models.get(&home) else {
        return [0, 1].map(|_| Some(format!("{region} has no read models")));
    };
    let fold = match from.folded.get(&home) {
        Some(Ok(folded)) if folded == held => None,
        Some(Ok(folded)) => Some(format!("{region} holds {held:?}, its store folds to {folded:?}")),
        Some(Err(why)) => Some(format!("the store of {region} cannot be folded: {why}")),
        None => Some(format!("{region} has no store")),
    };
    let file = (*held != from.expected).then(|| format!("{region} holds {held:?}, expected {:?}", from.expected));
    [fold, file]
}

/// R1.
pub(super) fn judge(from: &Gathered) -> Finding {
    let mut checks = Checks::new();
    for home in Home::ALL {
        for fault in faults(from, home) {
            checks.check(fault.is_none(), || fault.unwrap_or_default());
        }
    }
    checks.finding("R1", R1)
}

/// R2. A start whose effect a later start would hide is not told apart from it.
pub(super) fn judge_restarts(from: &Gathered, record: &RunRecord) -> Finding {
    let mut checks = Checks::new();
    for home in Home::ALL {
        let killed = u32::from(home == Home::West && record.dark == Some(Dark::Kill) && record.fault.is_some());
        let [fold, _] = faults(from, home);
        for _ in 0..=record.resumes.saturating_add(killed) {
            checks.check(fold.is_none(), || fold.clone().unwrap_or_default());
        }
    }
    checks.finding("R2", R2)
}

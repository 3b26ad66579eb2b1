//! R1: a read model is a fold of the log.

use super::finding::{Checks, Finding};
use super::gathered::Gathered;
use crate::orders::Home;

const STATEMENT: &str = "Each region's read models equal a fold of its own store in canonical order, and what the order file alone adds up to.";

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

pub(super) fn judge(from: &Gathered) -> Finding {
    let mut checks = Checks::new();
    for home in Home::ALL {
        for fault in faults(from, home) {
            checks.check(fault.is_none(), || fault.unwrap_or_default());
        }
    }
    checks.finding("R1", STATEMENT)
}

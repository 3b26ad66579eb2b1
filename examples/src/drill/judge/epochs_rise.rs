//! F1: an epoch names one owner, and epochs only rise.

use super::finding::{Checks, Finding};
use super::gathered::Gathered;

const STATEMENT: &str = "Epochs strictly rise per slice at the witness; in every log of every region they never fall, and each record's epoch is one that its origin owned.";

pub(super) fn judge(from: &Gathered) -> Finding {
    let mut checks = Checks::new();
    for (slice, chain) in &from.chains {
        let mut last = 0;
        for link in chain {
            checks.check(link.epoch > last, || format!("{slice}: epoch {} after {last} at the witness", link.epoch));
            last = link.epoch;
        }
    }
    for (home, table) in &from.stores {
        for (number, entry) in from.logs.iter() {
            let chain = from.chains.get(&from.logs.slices()[entry.slice]);
            let owned = |epoch| {
                chain.is_some_and(|chain| chain.iter().any(|link| link.epoch == epoch && link.owner == entry.origin))
            };
            let mut last = None;
            for row in &table.logs[number] {
                // Asked once for each run of equal epochs.
                let lawful = last == Some(row.epoch) || (last < Some(row.epoch) && owned(row.epoch));
                checks.check(lawful, || {
                    format!(
                        "{} in {}: epoch {} at {} after {last:?}, or not owned by its origin",
                        entry.id,
                        home.region(),
                        row.epoch,
                        row.rank
                    )
                });
                last = Some(row.epoch);
            }
        }
    }
    checks.finding("F1", STATEMENT)
}

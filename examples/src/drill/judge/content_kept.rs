//! M4: content is never changed on the way.

use super::finding::{Checks, Finding};
use super::gathered::Gathered;

const STATEMENT: &str = "Every record in every region is byte for byte the event of its line in the order file, in the log where it belongs.";

pub(super) fn judge(from: &Gathered) -> Finding {
    let mut checks = Checks::new();
    for (home, table) in &from.stores {
        for row in table.logs.iter().flatten() {
            checks.check(row.sound, || format!("{}: {}", home.region(), table.unsound.as_deref().unwrap_or("unsound")));
        }
    }
    checks.finding("M4", STATEMENT)
}

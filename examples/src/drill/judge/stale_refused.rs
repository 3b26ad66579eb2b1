//! F4: a holder of an old mandate gets nothing written.

use super::finding::{Checks, Finding};
use super::gathered::Derived;
use crate::drill::stale::StaleReport;

const STATEMENT: &str = "Every write under a stale mandate is refused or in doubt, and every record of every log is acknowledged under its own epoch or in doubt.";

/// How many stale writes are in doubt.
pub(super) fn in_doubt(stale: Option<&StaleReport>) -> u64 {
    stale.map_or(0, |stale| stale.writes.iter().map(|writes| writes.in_doubt).sum())
}

pub(super) fn judge(stale: Option<&StaleReport>, derived: &Derived) -> Finding {
    let mut checks = Checks::new();
    let Some(stale) = stale else { return checks.finding("F4", STATEMENT) };
    for writes in &stale.writes {
        checks.passed(writes.attempted.saturating_sub(1));
        let answered = writes.refused.saturating_add(writes.in_doubt);
        if writes.attempted > 0 || answered > 0 {
            checks.check(answered == writes.attempted, || {
                format!(
                    "{}: {} attempted, {} refused, {} in doubt",
                    writes.resource, writes.attempted, writes.refused, writes.in_doubt
                )
            });
        }
    }
    for accepted in &stale.accepted {
        checks.check(false, || accepted.clone());
    }
    // What a stale writer got in is a record that no producer knows of.
    if derived.unexplained_records > in_doubt(Some(stale)) {
        checks.check(false, || {
            let first = derived.unexplained.values().next().map_or("", String::as_str);
            format!("{} records that nobody was told of, such as {first}", derived.unexplained_records)
        });
    }
    checks.finding("F4", STATEMENT)
}

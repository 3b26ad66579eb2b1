//! F4: a holder of an old mandate gets nothing written.

use super::finding::{Checks, Finding};
use super::gathered::Derived;
use crate::drill::stale::StaleReport;

const STATEMENT: &str = "Every write under a stale mandate is refused for its staleness, or in doubt; and every record of every log is acknowledged under its own epoch or in doubt.";

/// Where stale writes are tried: at the endpoint, at the guards, as orders of a plan, and by a session
/// of its own at the store.
pub(super) const RESOURCES: [&str; 4] = ["append", "guard", "switchover", "store"];
/// Fewest refusals for staleness at each.
const STALE_MIN: u64 = 100;

/// Where too few attempts were refused for their staleness to prove anything, with what was answered
/// instead.
pub(super) fn unproved(stale: Option<&StaleReport>) -> Vec<String> {
    let few = RESOURCES.iter().filter_map(|resource| {
        let writes = stale.and_then(|stale| stale.writes.iter().find(|writes| writes.resource == *resource));
        let Some(writes) = writes else { return Some(format!("stale writes were not tried at {resource}")) };
        let stale = writes.refused_as_stale();
        (stale < STALE_MIN).then(|| {
            format!(
                "{resource}: {stale} stale writes were refused for their staleness instead of {STALE_MIN}; refused {:?}, in doubt {}",
                writes.reasons, writes.in_doubt
            )
        })
    });
    few.collect()
}

pub(super) fn judge(stale: Option<&StaleReport>, derived: &Derived) -> Finding {
    let mut checks = Checks::new();
    for writes in stale.iter().flat_map(|stale| &stale.writes) {
        let answered = writes.refused.saturating_add(writes.in_doubt);
        if answered != writes.attempted || writes.reasons.values().sum::<u64>() != writes.refused {
            checks.check(false, || format!("the counts of {} do not add up: {writes:?}", writes.resource));
        }
    }
    for accepted in stale.iter().flat_map(|stale| &stale.accepted) {
        checks.check(false, || accepted.clone());
    }
    // What a stale writer got in is a record that no producer knows of.
    for record in &derived.unexplained {
        checks.check(false, || format!("nobody was told of {record}"));
    }
    // Without refusals that name the staleness nothing was shown, and nothing is called held.
    if unproved(stale).is_empty() {
        let refused = stale.iter().flat_map(|stale| &stale.writes).map(|writes| writes.refused_as_stale());
        checks.passed(refused.sum::<u64>().saturating_add(derived.explained_records));
    }
    checks.finding("F4", STATEMENT)
}

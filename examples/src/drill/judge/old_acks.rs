//! F2: once a newer epoch has answered, nothing is acknowledged under an older one.

use super::finding::{Checks, Finding};
use super::gathered::{Derived, Gathered};

const STATEMENT: &str =
    "No client counts an acknowledgement under an epoch after the first under a later epoch of the same slice.";

pub(super) fn judge(from: &Gathered, derived: &Derived) -> Finding {
    let mut checks = Checks::new();
    for ack in &from.told.acks {
        // Only where a later epoch has answered is there anything to compare with.
        let Some(barrier) = derived.spans.barrier(ack, &from.logs) else { continue };
        checks.check(ack.at_ns <= barrier, || {
            let slice = &from.logs.slices()[from.logs.entry(ack.log).slice];
            format!(
                "{slice}: line {} under epoch {} at {}, a later epoch from {barrier}",
                ack.line, ack.epoch, ack.at_ns
            )
        });
    }
    checks.finding("F2", STATEMENT)
}

/// Acknowledgements under an older epoch after the first under a newer one.
pub(super) fn after_takeover(from: &Gathered, derived: &Derived) -> u64 {
    let late = |ack: &&_| derived.spans.barrier(ack, &from.logs).is_some_and(|barrier| ack.at_ns > barrier);
    from.told.acks.iter().filter(late).count() as u64
}

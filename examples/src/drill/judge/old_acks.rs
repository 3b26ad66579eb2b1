//! F2: once a newer epoch has answered, nothing is acknowledged under an older one.

use dcp_core::ownership::Evidence;

use super::finding::{Checks, Finding};
use super::gathered::{Derived, Gathered};
use super::told::AckRow;

const STATEMENT: &str = "After a takeover no client counts an acknowledgement under the old epoch once the new one has answered; across a planned move only answers to what was asked before.";

pub(super) fn judge(from: &Gathered, derived: &Derived) -> Finding {
    let mut checks = Checks::new();
    for ack in &from.told.acks {
        // Only where a later epoch has answered is there anything to compare with.
        let Some(barrier) = derived.spans.barrier(ack, &from.logs) else { continue };
        checks.check(over_at(from, ack) <= barrier, || {
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
    let late =
        |ack: &&AckRow| derived.spans.barrier(ack, &from.logs).is_some_and(|barrier| over_at(from, ack) > barrier);
    from.told.acks.iter().filter(late).count() as u64
}

// What must lie before the first answer under a later epoch. A lease outlasts every answer to what
// was admitted under it; a receipt says that all was settled, while an answer may be on its way still.
fn over_at(from: &Gathered, ack: &AckRow) -> u64 {
    let slice = &from.logs.slices()[from.logs.entry(ack.log).slice];
    let next = from.chains.get(slice).and_then(|chain| chain.iter().find(|link| link.epoch > ack.epoch));
    let moved = next.is_some_and(|link| matches!(link.evidence, Evidence::Sealed { .. }));
    if moved { ack.sent_ns } else { ack.at_ns }
}

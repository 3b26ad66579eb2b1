//! F3: every acknowledgement carries an epoch that was current while it was made.

use super::finding::{Checks, Finding};
use super::gathered::{Derived, Gathered};
use super::told::AckRow;
use crate::drill::record::FaultFact;
use crate::producer::evidence::{LateAnswer, LateKind};

const STATEMENT: &str = "Every acknowledgement carries an epoch current at some moment between question and answer, given by that epoch's owner, and its record stands where it says, under that epoch or, sent again after a doubt, an older one; an append that was held between check and commit until a later epoch had answered is never acknowledged, however late.";

pub(super) fn judge(from: &Gathered, derived: &Derived, fault: Option<&FaultFact>) -> Finding {
    let mut checks = Checks::new();
    for late in from.told.late.iter().filter(|late| was_held(late, fault)) {
        checks.check(late.answer != LateKind::Acknowledged, || {
            format!(
                "lines {} to {}, held in {}, were acknowledged by {}",
                late.lines.0, late.lines.1, late.log, late.by
            )
        });
    }
    for ack in &from.told.acks {
        let wrong = wrong_time(from, derived, ack).or_else(|| wrong_record(from, ack)).or_else(|| moved(derived, ack));
        checks.check(wrong.is_none(), || {
            let wrong = wrong.unwrap_or_default();
            format!("line {} acknowledged by {} under epoch {}: {wrong}", ack.line, ack.by.region(), ack.epoch)
        });
    }
    checks.finding("F3", STATEMENT)
}

// One batch of a partition is in flight at a time, so that its log names the one that was under way when the region
// went dark. What was answered before that was late for another reason, as a slow machine.
fn was_held(late: &LateAnswer, fault: Option<&FaultFact>) -> bool {
    fault.is_some_and(|fault| {
        let under_way = late.sent_ns < fault.at_ns && fault.at_ns < late.at_ns;
        under_way && fault.held.as_deref() == Some(&*late.log.to_string())
    })
}

fn wrong_time(from: &Gathered, derived: &Derived, ack: &AckRow) -> Option<String> {
    if ack.sent_ns > ack.at_ns {
        return Some(format!("answered at {} before it was asked at {}", ack.at_ns, ack.sent_ns));
    }
    let slice = &from.logs.slices()[from.logs.entry(ack.log).slice];
    let owned = |link: &super::history::Link| link.epoch == ack.epoch && link.owner == ack.by;
    if !from.chains.get(slice).is_some_and(|chain| chain.iter().any(owned)) {
        return Some(format!("{slice} was never owned by it under that epoch"));
    }
    let barrier = derived.spans.barrier(ack, &from.logs)?;
    (ack.sent_ns > barrier).then(|| format!("asked at {}, after a later epoch had answered at {barrier}", ack.sent_ns))
}

fn wrong_record(from: &Gathered, ack: &AckRow) -> Option<String> {
    let entry = from.logs.entry(ack.log);
    let Some(row) = from.stores.get(&ack.by).and_then(|table| table.at(ack.log, ack.rank)) else {
        return Some(format!("{} holds nothing at {}", entry.id, ack.rank));
    };
    if row.line != ack.line {
        return Some(format!("{} holds line {} at {}", entry.id, row.line, ack.rank));
    }
    let written_then = row.epoch == ack.epoch && entry.origin == ack.by;
    let held_before = row.epoch < ack.epoch && from.told.in_doubt.contains(&ack.line);
    let wrong = !written_then && !held_before;
    wrong.then(|| format!("its record in {} is of epoch {}, and the line was never in doubt", entry.id, row.epoch))
}

// A repeated answer names the place of the first.
fn moved(derived: &Derived, ack: &AckRow) -> Option<String> {
    let first = derived.places.get(ack.line as usize).copied().flatten()?;
    let same = first.log == ack.log && (first.by != ack.by || first.rank == ack.rank);
    (!same).then(|| "a second acknowledgement names another place".to_owned())
}

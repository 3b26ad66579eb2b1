//! How long nobody could write a slice while it moved.

use std::time::Duration;

use dcp_core::ownership::Evidence;

use super::gathered::{Derived, Gathered};
use super::history::changes;
use crate::verdict::WritePause;

/// How long each planned move kept a slice from being written: from the last answer under the old
/// epoch to the first under the new one. Moves of slices that were not written on both sides are
/// named apart.
pub(super) fn write_pauses(from: &Gathered, derived: &Derived) -> (Vec<WritePause>, Vec<String>) {
    let (mut pauses, mut unmeasured) = (Vec::new(), Vec::new());
    for (slice, before, after) in changes(&from.chains) {
        if !matches!(after.evidence, Evidence::Sealed { .. }) {
            continue;
        }
        let span = |epoch| from.logs.slice(slice).and_then(|number| derived.spans.get(number, epoch));
        match (span(before.epoch), span(after.epoch)) {
            (Some(old), Some(new)) => pauses.push((
                new.first_ns,
                WritePause {
                    scope: slice.scope.clone(),
                    slice: slice.slice.clone(),
                    ms: Duration::from_nanos(new.first_ns.saturating_sub(old.last_ns)).as_secs_f64() * 1_000.0,
                },
            )),
            _ => unmeasured.push(format!(
                "{slice}: its move to epoch {} was not measured: it was not written on both sides",
                after.epoch
            )),
        }
    }
    pauses.sort_by_key(|(first, _)| *first);
    (pauses.into_iter().map(|(_, pause)| pause).collect(), unmeasured)
}

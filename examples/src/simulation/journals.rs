//! What the journals of the regions were answered, read back from outside.

use dcp_core::runbook::{ExportLine, JournalEntry, RunResult};

use super::observations::Observer;

/// The journal entries of a region, in order.
pub(super) fn entries(observer: &Observer, region: &str) -> Vec<JournalEntry> {
    let noted = observer.journal();
    let own = noted.iter().filter(|((of, _), _)| *of == region);
    own.filter_map(|(_, value)| Some(ExportLine::from_json(value).ok()?.record().ok()?.entry)).collect()
}

/// How many runs of a plan about a subject are closed as done.
pub(super) fn closed_done(observer: &Observer, region: &str, kind: &str, about: &str) -> usize {
    let entries = entries(observer, region);
    let opened = entries.iter().filter_map(|entry| match entry {
        JournalEntry::RunOpened { run, plan, .. } if plan.kind() == kind && plan.subject() == about => Some(run),
        _ => None,
    });
    let done = |run| {
        entries.iter().any(
            |entry| matches!(entry, JournalEntry::RunClosed { run: closed, result: RunResult::Done } if closed == run),
        )
    };
    opened.filter(|run| done(*run)).count()
}

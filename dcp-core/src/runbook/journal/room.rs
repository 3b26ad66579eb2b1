//! How much room a journal has left, and for what. Pure.

use super::{ENTRIES_MAX, TAKEOVER_RESERVE};
use crate::error::Error;
use crate::runbook::entry::JournalEntry;
use crate::runbook::plan::TAKEOVER;

/// Whether `entry` may follow `written` entries; `kind` is that of the plan of its run, if it has one.
///
/// The last entries are kept for taking over: for a driver to take its lease, for runs that end, and
/// for plans of the kind [`TAKEOVER`]. A full journal must never be why a lost region stays lost.
pub(super) fn judge_room(written: u64, entry: &JournalEntry, kind: Option<&str>) -> Result<(), Error> {
    let urgent = match entry {
        JournalEntry::DriverTaken { .. } | JournalEntry::RunCancelling { .. } | JournalEntry::RunClosed { .. } => true,
        JournalEntry::RunOpened { plan, .. } => plan.kind() == TAKEOVER,
        JournalEntry::Intent { .. } | JournalEntry::Outcome { .. } => kind == Some(TAKEOVER),
        JournalEntry::Note { .. } => false,
    };
    let bound = if urgent { ENTRIES_MAX } else { ENTRIES_MAX - TAKEOVER_RESERVE };
    if written < bound {
        return Ok(());
    }
    Err(Error::refused(
        "journal-full",
        format!("the journal holds {written} entries; for such a one its bound is {bound}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fence::Term;
    use crate::ids::{HolderId, RegionId, RunId};
    use crate::ports::Facts;
    use crate::runbook::RunResult;

    #[test]
    fn the_last_entries_are_kept_for_taking_over() {
        let run = RunId::new("run").unwrap();
        let term = Term { issuer: RegionId::new("c").unwrap(), holder: HolderId::new("c").unwrap(), revision: 1 };
        let note = JournalEntry::Note { name: "alert".to_owned(), facts: Facts::new() };
        let closed = JournalEntry::RunClosed { run: run.clone(), result: RunResult::Superseded };
        let intent = JournalEntry::Intent {
            run,
            step: crate::ids::StepId::new("pause-link").unwrap(),
            direction: crate::runbook::Direction::Forward,
            nonce: crate::digest::Digest::ZERO,
            attempt: 1,
        };
        let taken = JournalEntry::DriverTaken { term };
        let ordinary = ENTRIES_MAX - TAKEOVER_RESERVE;
        assert!(judge_room(ordinary - 1, &note, None).is_ok());
        for (entry, kind) in [(&note, None), (&intent, Some("rejoin"))] {
            assert_eq!(judge_room(ordinary, entry, kind).unwrap_err().code(), "journal-full");
        }
        for (entry, kind) in [(&taken, None), (&intent, Some(TAKEOVER)), (&closed, Some("rejoin"))] {
            assert!(judge_room(ENTRIES_MAX - 1, entry, kind).is_ok());
            assert_eq!(judge_room(ENTRIES_MAX, entry, kind).unwrap_err().code(), "journal-full");
        }
    }
}

//! Whether a region's stores are the ones that renewed before, and have gone on since. Pure.

use dcp_core::Error;
use dcp_core::ports::{LeaseReading, LeaseRenewal};

/// Judges what a renewal shows of the last one.
///
/// # Errors
/// `Refused` (`store-went-back`, `state-went-back`) if a store cannot show what was kept; `Conflict`
/// (`other-renewal`) if it is shown of another renewal; `Invalid` (`keeps-less`) if this renewal keeps
/// less, which would let the next one pass without showing it.
pub(crate) fn judge_continuity(previous: &LeaseReading, renewal: &LeaseRenewal) -> Result<(), Error> {
    let Some(kept) = previous.remembered() else { return Ok(()) };
    judge_number(previous, renewal)?;
    if kept.is_empty() {
        return Ok(());
    }
    if renewal.shown.since != Some(previous.sequence) {
        return Err(Error::conflict(
            "other-renewal",
            format!(
                "{}: what is shown is of renewal {:?}, the last is {}; read the lease and renew again",
                renewal.region, renewal.shown.since, previous.sequence
            ),
        ));
    }
    for (log, was) in &kept.prefixes {
        let is = renewal.shown.prefixes.get(log);
        if is != Some(was) {
            let held = is.map_or_else(|| "fewer records".to_owned(), |is| format!("others, digest {}", is.digest));
            return Err(went_back(
                renewal,
                "store-went-back",
                &format!(
                    "its {log} held {} records of digest {} at its last renewal and now holds {held}",
                    was.count, was.digest
                ),
            ));
        }
    }
    if let Some(mark) = &kept.mark
        && !renewal.shown.marks.contains(mark)
    {
        return Err(went_back(
            renewal,
            "state-went-back",
            "its state store does not hold the mark of its last renewal: fences, releases and the journal may be older too",
        ));
    }
    let less = kept.prefixes.keys().any(|log| !renewal.kept.prefixes.contains_key(log));
    if less || (kept.mark.is_some() && renewal.kept.mark.is_none()) {
        return Err(Error::invalid(
            "keeps-less",
            format!("{}: a renewal keeps every log and mark that the last one kept", renewal.region),
        ));
    }
    Ok(())
}

// Another store, or an older one that has not made as many commits yet: told apart at once, also
// for a region that keeps nothing.
fn judge_number(previous: &LeaseReading, renewal: &LeaseRenewal) -> Result<(), Error> {
    let (was, is) = (&previous.store, &renewal.store);
    if was.incarnation == is.incarnation && is.commit_sequence >= was.commit_sequence {
        return Ok(());
    }
    Err(went_back(
        renewal,
        "store-went-back",
        &format!(
            "its event store is {} at commit {}, and it renewed with {} at commit {}",
            is.incarnation, is.commit_sequence, was.incarnation, was.commit_sequence
        ),
    ))
}

fn went_back(renewal: &LeaseRenewal, code: &'static str, what: &str) -> Error {
    Error::refused(
        code,
        format!(
            "{}: {what}; a backup was restored or a disk was lost: keep it closed, compare it with its peer, then readmit it",
            renewal.region
        ),
    )
}

//! What a mirror's batch writes.

use super::{Decision, Growing, Held};
use crate::error::Error;
use crate::event::Record;
use crate::position::PrefixDigest;

/// Decides a mirror's batch: as it is, if the log is where the batch follows.
///
/// # Errors
/// `Conflict` if the log is not at the prefix `after`; `Corrupt` if a record does not follow its
/// stream's version, since a source that keeps the contract cannot have such a gap.
pub(crate) fn decide_copy(held: Held, after: PrefixDigest, records: Vec<Record>) -> Result<Decision, Error> {
    if held.prefix != after {
        return Err(Error::conflict(
            "other-prefix",
            format!(
                "{}: holds {} records with digest {}, the batch follows {} with digest {}",
                held.log, held.prefix.count, held.prefix.digest, after.count, after.digest
            ),
        ));
    }
    let mut growing = Growing::of(held);
    for record in records {
        let before = growing.version(&record.stream);
        if record.version != before.next() {
            return Err(Error::corrupt(
                "version-gap",
                format!(
                    "event {}: version {} of stream {} cannot follow {before}",
                    record.id, record.version, record.stream
                ),
            ));
        }
        let content = record.content_digest();
        growing.lay(record, content);
    }
    Ok(growing.into_decision(Vec::new()))
}

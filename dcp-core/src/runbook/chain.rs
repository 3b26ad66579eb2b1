//! The hash chain: how an entry follows the one before. Pure.

use serde::{Deserialize, Serialize};

use super::entry::Record;
use super::export::ExportLine;
use crate::digest::Digest;
use crate::error::Error;
use crate::signed::Signer;

/// What a signature of a head is made under; see [`Signer::sign_bytes`].
pub const HEAD_CONTEXT: &str = "application/vnd.dcp.journal-head";

/// Largest entry, in bytes of its JSON. Escaped once more it still fits a value of a state store.
pub(crate) const ENTRY_MAX_BYTES: usize = 400 << 10;

/// Code of the refusal of a larger one.
pub(crate) const ENTRY_TOO_LARGE: &str = "entry-too-large";

/// A place in a journal and the hash there: kept elsewhere, it shows that the journal was cut or
/// rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::exhaustive_structs)]
pub struct Anchor {
    /// Sequence of the last entry, from 1; 0 in an empty journal.
    pub sequence: u64,
    /// Hash of that entry; zeros in an empty journal.
    pub head: Digest,
}

impl Anchor {
    /// Before the first entry.
    pub const EMPTY: Self = Self { sequence: 0, head: Digest::ZERO };

    /// What a signature of this head covers: the sequence as 8 bytes, big-endian, and the hash.
    #[must_use]
    pub fn signed_bytes(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[..8].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[8..].copy_from_slice(self.head.as_bytes());
        bytes
    }
}

/// SHA-256 of the previous hash, the sequence as 8 bytes, big-endian, and the entry's exact text.
pub(crate) fn hash(previous: &Digest, sequence: u64, text: &str) -> Digest {
    Digest::of_parts(&[previous.as_bytes(), &sequence.to_be_bytes(), text.as_bytes()])
}

/// The line that follows `last`.
pub(crate) fn link(last: &Anchor, record: &Record, signer: &Signer) -> Result<ExportLine, Error> {
    let text = serde_json::to_string(record)
        .map_err(|cause| Error::invalid("unwritable-entry", format!("journal entry: {cause}")))?;
    if text.len() > ENTRY_MAX_BYTES {
        return Err(Error::invalid(
            ENTRY_TOO_LARGE,
            format!("journal entry of {} bytes, at most {ENTRY_MAX_BYTES}", text.len()),
        ));
    }
    let sequence = last.sequence + 1;
    let head = hash(&last.head, sequence, &text);
    let mut line = ExportLine { sequence, previous: last.head, hash: head, entry: text, key: None, signature: None };
    if record.entry.is_signed() {
        line.key = Some(signer.id().clone());
        line.signature = Some(hex::encode(signer.sign_bytes(HEAD_CONTEXT, &Anchor { sequence, head }.signed_bytes())));
    }
    Ok(line)
}

/// Checks that `line` follows `last`, and reads it.
pub(crate) fn follow(last: &Anchor, line: &ExportLine) -> Result<(Anchor, Record), Error> {
    let expected = last.sequence + 1;
    let corrupt = |what: String| Err(Error::corrupt("journal-chain", format!("journal entry {expected}: {what}")));
    if line.sequence != expected {
        return corrupt(format!("missing, entry {} is in its place", line.sequence));
    }
    if line.previous != last.head {
        return corrupt(format!("follows {}, but the entry before has hash {}", line.previous, last.head));
    }
    if line.hash != hash(&last.head, expected, &line.entry) {
        return corrupt("its text does not have its hash".to_owned());
    }
    let record: Record = match serde_json::from_str(&line.entry) {
        Ok(record) => record,
        Err(cause) => return corrupt(format!("unreadable: {cause}")),
    };
    if record.entry.is_signed() && line.signature.is_none() {
        return corrupt("its signature is missing".to_owned());
    }
    Ok((Anchor { sequence: expected, head: line.hash }, record))
}

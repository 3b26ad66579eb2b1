//! An exported journal, and its verification without the store that held it. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::chain::{self, Anchor, HEAD_CONTEXT};
use super::entry::{Record, RunResult};
use super::run::{RunStatus, Runs};
use crate::digest::Digest;
use crate::error::Error;
use crate::ids::{KeyId, RunId};
use crate::signed::KeySet;

/// One entry as it is stored and exported: one JSON object on a line.
///
/// `hash` = SHA-256(`previous` as 32 bytes, `sequence` as 8 bytes big-endian, the UTF-8 bytes of
/// `entry`). `previous` of entry 1 is 32 zero bytes. `signature` is an Ed25519 signature in hex,
/// under [`HEAD_CONTEXT`], over [`Anchor::signed_bytes`] of this entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::exhaustive_structs)]
pub struct ExportLine {
    /// From 1, without gaps.
    pub sequence: u64,
    /// Hash of the entry before.
    pub previous: Digest,
    /// Hash of this entry.
    pub hash: Digest,
    /// The entry's exact JSON text.
    pub entry: String,
    /// Which key signed, for entries that are signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// The signature in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl ExportLine {
    /// The line's JSON, without a line end.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Numbers and strings only: cannot fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a line.
    ///
    /// # Errors
    /// `Corrupt` if it is not one whole line of an export.
    pub fn from_json(line: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(line).map_err(|cause| Error::corrupt("journal-line", format!("journal line: {cause}")))
    }

    /// Reads the entry.
    ///
    /// # Errors
    /// `Corrupt` if the text is not an entry.
    pub fn record(&self) -> Result<Record, Error> {
        serde_json::from_str(&self.entry).map_err(|cause| {
            Error::corrupt("journal-chain", format!("journal entry {}: unreadable: {cause}", self.sequence))
        })
    }

    fn check_signature(&self, record: &Record, keys: &KeySet) -> Result<bool, Error> {
        let (key, signature) = match (&self.key, &self.signature) {
            (Some(key), Some(signature)) => (key, signature),
            (None, None) if !record.entry.is_signed() => return Ok(false),
            _ => {
                let sentence = format!("journal entry {}: its signature is missing", self.sequence);
                return Err(Error::corrupt("journal-signature", sentence));
            }
        };
        let head = Anchor { sequence: self.sequence, head: self.hash };
        let good = hex::decode(signature)
            .is_ok_and(|signature| keys.verifies_bytes(HEAD_CONTEXT, &head.signed_bytes(), key, &signature));
        if !good {
            let sentence = format!("journal entry {}: the signature by {key} does not verify", self.sequence);
            return Err(Error::corrupt("journal-signature", sentence));
        }
        Ok(true)
    }
}

/// What a verified journal holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Its end: compare it with an anchor that was kept elsewhere.
    pub end: Anchor,
    /// How many heads are signed, each verified.
    pub signatures: u64,
    /// Each run and how it was closed, if it was.
    pub runs: BTreeMap<RunId, Option<RunResult>>,
}

/// Verifies an export: the chain, each signature, and that no entry contradicts those before.
///
/// A journal whose last entries were cut off verifies; compare [`Summary::end`] with an anchor.
///
/// # Errors
/// `Corrupt` with the first entry that is changed, missing, out of place or not signed as it must.
pub fn verify_export(lines: &[ExportLine], keys: &KeySet) -> Result<Summary, Error> {
    let mut end = Anchor::EMPTY;
    let mut runs = Runs::default();
    let mut signatures = 0;
    for line in lines {
        let (next, record) = chain::follow(&end, line)?;
        signatures += u64::from(line.check_signature(&record, keys)?);
        runs.take_in(&record.entry).map_err(|error| {
            Error::corrupt("journal-contradiction", format!("journal entry {}: {}", line.sequence, error.message()))
        })?;
        end = next;
    }
    let runs = runs
        .iter()
        .map(|(run, state)| match state.status() {
            RunStatus::Closed(result) => (run.clone(), Some(result)),
            RunStatus::Open | RunStatus::Cancelling => (run.clone(), None),
        })
        .collect();
    Ok(Summary { end, signatures, runs })
}

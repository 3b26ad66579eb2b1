//! Positions, cuts and digests of log prefixes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::Error;
use crate::log::LogId;

/// Changes when a log is re-created, restored or truncated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogIncarnation([u8; 16]);

impl LogIncarnation {
    /// Takes 16 bytes that no other incarnation of any log has.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for LogIncarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for LogIncarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An opaque, ordered place in one log incarnation: the place of one record.
///
/// Never computed with: a position comes from a store, and only orders against positions of the
/// same incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    incarnation: LogIncarnation,
    rank: u64,
}

impl Position {
    /// For implementers of a store: the place with this rank in this incarnation.
    #[must_use]
    pub fn from_store(incarnation: LogIncarnation, rank: u64) -> Self {
        Self { incarnation, rank }
    }

    /// The incarnation that it belongs to.
    #[must_use]
    pub fn incarnation(&self) -> LogIncarnation {
        self.incarnation
    }

    /// For implementers of a store: the rank they gave out.
    #[must_use]
    pub fn rank(&self) -> u64 {
        self.rank
    }

    /// Orders two positions of one log.
    ///
    /// # Errors
    /// `Corrupt` if they are of different incarnations: the log was re-created, restored or
    /// truncated, and the holder of the older position must stop.
    pub fn order(&self, other: &Self) -> Result<std::cmp::Ordering, Error> {
        if self.incarnation != other.incarnation {
            return Err(Error::corrupt(
                "other-incarnation",
                format!(
                    "positions of incarnations {} and {} do not compare: the log was re-created, restored or truncated",
                    self.incarnation, other.incarnation
                ),
            ));
        }
        Ok(self.rank.cmp(&other.rank))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.incarnation, self.rank)
    }
}

/// How much of a log there is, up to and including a record: count and ordered digest.
///
/// Equal prefixes of one log in two regions have equal counts and digests, whatever their
/// positions; this is what parity compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct PrefixDigest {
    /// Records in the prefix.
    pub count: u64,
    /// Chain over the records' digests, in order; all zeros for the empty prefix.
    pub digest: Digest,
}

impl PrefixDigest {
    /// The empty prefix.
    pub const EMPTY: Self = Self { count: 0, digest: Digest::ZERO };

    /// The prefix one record longer.
    #[must_use]
    pub fn then(&self, record: &Digest) -> Self {
        Self { count: self.count + 1, digest: Digest::of_parts(&[self.digest.as_bytes(), record.as_bytes()]) }
    }
}

/// Where a log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct LogEnd {
    /// The log's incarnation in the store that was asked.
    pub incarnation: LogIncarnation,
    /// Place of the last record; none in an empty log.
    pub last: Option<Position>,
    /// Count and ordered digest up to the last record.
    pub prefix: PrefixDigest,
}

/// One end per log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cut(BTreeMap<LogId, LogEnd>);

impl Cut {
    /// An empty cut.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the end of one log.
    pub fn insert(&mut self, log: LogId, end: LogEnd) {
        self.0.insert(log, end);
    }

    /// The end of a log, if the cut names it.
    #[must_use]
    pub fn get(&self, log: &LogId) -> Option<&LogEnd> {
        self.0.get(log)
    }

    /// All ends, by log.
    pub fn iter(&self) -> impl Iterator<Item = (&LogId, &LogEnd)> {
        self.0.iter()
    }

    /// Number of logs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it names no log.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(LogId, LogEnd)> for Cut {
    fn from_iter<I: IntoIterator<Item = (LogId, LogEnd)>>(ends: I) -> Self {
        Self(ends.into_iter().collect())
    }
}

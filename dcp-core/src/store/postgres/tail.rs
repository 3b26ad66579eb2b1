//! What a lane remembers of its log from one group to the next.

use std::collections::BTreeMap;

use super::rows::LogRow;
use crate::event::{StreamId, Version};
use crate::position::PrefixDigest;

/// Most streams whose versions are remembered; with more, all are asked for again.
const STREAMS_MAX: usize = 4_096;

/// A log as a transaction left it. It is good for as long as the row is the same: all writes change the
/// row's count and digest, a new writer its session, a seal its fence.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    pub(super) row: LogRow,
    /// Versions of streams that were asked for; none is a version too.
    pub(super) versions: BTreeMap<StreamId, Version>,
}

impl Tail {
    pub(super) fn new(row: LogRow, mut versions: BTreeMap<StreamId, Version>) -> Self {
        if versions.len() > STREAMS_MAX {
            versions.clear();
        }
        Self { row, versions }
    }
}

/// What a lane keeps of its log.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    /// What the last group left; none while one is written, and after one whose outcome is not known.
    pub(super) tail: Option<Tail>,
    /// The most that is known to be committed, also while there is no tail: a log that has less, or something else
    /// there, went back.
    pub(super) known: PrefixDigest,
}

impl Default for Memory {
    fn default() -> Self {
        Self { tail: None, known: PrefixDigest::EMPTY }
    }
}

impl Memory {
    /// Keeps what a transaction left that is over.
    pub(super) fn remember(&mut self, left: Tail) {
        self.known = left.row.prefix;
        self.tail = Some(left);
    }
}

//! What a lane remembers of its log from one group to the next.

use std::collections::BTreeMap;

use super::rows::LogRow;
use crate::event::{StreamId, Version};

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

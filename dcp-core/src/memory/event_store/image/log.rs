//! What one log holds.

use std::collections::BTreeMap;

use crate::event::{Placed, StreamId, Version};
use crate::position::{Position, PrefixDigest};
use crate::store::append::Decision;

/// Records in order; the record of rank `n` has index `n - 1`.
#[derive(Debug, Clone, Default)]
pub(super) struct LogImage {
    records: Vec<Placed>,
    prefixes: Vec<PrefixDigest>,
    versions: BTreeMap<StreamId, Version>,
}

impl LogImage {
    pub(super) fn last(&self) -> Option<Position> {
        self.records.last().map(|held| held.position)
    }

    pub(super) fn prefix(&self) -> PrefixDigest {
        self.prefixes.last().copied().unwrap_or(PrefixDigest::EMPTY)
    }

    pub(super) fn prefix_of(&self, count: u64) -> Option<PrefixDigest> {
        match count.checked_sub(1) {
            None => Some(PrefixDigest::EMPTY),
            Some(index) => self.prefixes.get(usize::try_from(index).ok()?).copied(),
        }
    }

    pub(super) fn version(&self, stream: &StreamId) -> Option<Version> {
        self.versions.get(stream).copied()
    }

    pub(super) fn records(&self, before: u64, limit: usize) -> Vec<Placed> {
        let before = usize::try_from(before).unwrap_or(usize::MAX);
        self.records.iter().skip(before).take(limit).cloned().collect()
    }

    pub(super) fn write(&mut self, decision: Decision) {
        self.versions.extend(decision.versions);
        for planned in decision.records {
            self.prefixes.push(planned.prefix);
            self.records.push(Placed { position: planned.position, record: planned.record });
        }
    }
}

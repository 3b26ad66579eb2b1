//! What an event store holds.

mod log;

use std::collections::BTreeMap;

use bytes::Bytes;

use self::log::LogImage;
use crate::error::Error;
use crate::event::{EventId, Placed, StreamId, Version};
use crate::fence::Fence;
use crate::ids::{CursorName, ScopeId};
use crate::log::LogId;
use crate::memory::disk::Image;
use crate::ports::event_store::{Cursor, Sighting, StoreIdentity, WriterRole};
use crate::position::{Cut, LogEnd, LogIncarnation, PrefixDigest};
use crate::store::admission::{RoleKind, judge_grant};
use crate::store::append::{Decision, Held};

/// The records of one batch, ready to be written.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) log: LogId,
    pub(super) decision: Decision,
}

/// One durable commit.
#[derive(Debug, Default)]
pub(super) struct Change {
    fences: Vec<(LogId, Fence)>,
    generations: Vec<((LogId, RoleKind), u64)>,
    batch: Option<Batch>,
    cursor: Option<Cursor>,
}

impl Change {
    pub(super) fn fences(fences: Vec<(LogId, Fence)>) -> Self {
        Self { fences, ..Self::default() }
    }

    pub(super) fn batch(batch: Batch, cursor: Option<Cursor>) -> Self {
        Self { batch: Some(batch), cursor, ..Self::default() }
    }
}

/// A writer about to be opened.
#[derive(Debug)]
pub(super) struct Opening {
    fences: Vec<(LogId, Fence)>,
    generations: Vec<((LogId, RoleKind), u64)>,
}

impl Opening {
    pub(super) fn decide(image: &EventImage, logs: &[LogId], role: &WriterRole) -> Result<Self, Error> {
        let mut opening = Self { fences: Vec::new(), generations: Vec::new() };
        for log in logs {
            if let WriterRole::Owner(grant) = role
                && let Some(raised) = judge_grant(&image.fence(log), log, grant)?
            {
                opening.fences.push((log.clone(), raised));
            }
            let key = (log.clone(), RoleKind::of(role));
            let next = image.generation(&key) + 1;
            opening.generations.push((key, next));
        }
        Ok(opening)
    }

    pub(super) fn generations(&self) -> BTreeMap<LogId, u64> {
        self.generations.iter().map(|((log, _), generation)| (log.clone(), *generation)).collect()
    }

    pub(super) fn into_change(self) -> Change {
        Change { fences: self.fences, generations: self.generations, ..Change::default() }
    }
}

/// All that is durable.
#[derive(Debug, Clone)]
pub(super) struct EventImage {
    incarnation: LogIncarnation,
    commit_sequence: u64,
    logs: BTreeMap<LogId, LogImage>,
    ids: BTreeMap<(ScopeId, u32), BTreeMap<EventId, Vec<Sighting>>>,
    cursors: BTreeMap<CursorName, Bytes>,
    fences: BTreeMap<LogId, Fence>,
    // Who writes now; need not be durable, since sessions end with a crash.
    generations: BTreeMap<(LogId, RoleKind), u64>,
}

impl EventImage {
    pub(super) fn new(incarnation: LogIncarnation) -> Self {
        Self {
            incarnation,
            commit_sequence: 0,
            logs: BTreeMap::new(),
            ids: BTreeMap::new(),
            cursors: BTreeMap::new(),
            fences: BTreeMap::new(),
            generations: BTreeMap::new(),
        }
    }

    pub(super) fn identity(&self) -> StoreIdentity {
        StoreIdentity { incarnation: self.incarnation, commit_sequence: self.commit_sequence }
    }

    pub(super) fn end(&self, log: &LogId) -> LogEnd {
        let held = self.logs.get(log);
        LogEnd {
            incarnation: self.incarnation,
            last: held.and_then(LogImage::last),
            prefix: held.map_or(PrefixDigest::EMPTY, LogImage::prefix),
        }
    }

    pub(super) fn ends(&self, logs: &[LogId]) -> Cut {
        logs.iter().map(|log| (log.clone(), self.end(log))).collect()
    }

    pub(super) fn logs(&self) -> Vec<LogId> {
        self.logs.keys().cloned().collect()
    }

    pub(super) fn fence(&self, log: &LogId) -> Fence {
        self.fences.get(log).cloned().unwrap_or_default()
    }

    pub(super) fn prefix(&self, log: &LogId, count: u64) -> Option<PrefixDigest> {
        match self.logs.get(log) {
            Some(held) => held.prefix_of(count),
            None => (count == 0).then_some(PrefixDigest::EMPTY),
        }
    }

    pub(super) fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Vec<Sighting> {
        let Some(held) = self.ids.get(&(scope.clone(), partition)) else { return Vec::new() };
        ids.iter().filter_map(|id| held.get(id)).flatten().cloned().collect()
    }

    pub(super) fn cursor(&self, name: &CursorName) -> Option<Bytes> {
        self.cursors.get(name).cloned()
    }

    pub(super) fn generation(&self, key: &(LogId, RoleKind)) -> u64 {
        self.generations.get(key).copied().unwrap_or(0)
    }

    pub(super) fn records(&self, log: &LogId, before: u64, limit: usize) -> Vec<Placed> {
        self.logs.get(log).map_or_else(Vec::new, |held| held.records(before, limit))
    }

    /// What bears on a batch of these streams and ids.
    pub(super) fn held<'a>(&self, log: &LogId, streams: impl Iterator<Item = &'a StreamId>, ids: &[EventId]) -> Held {
        let versions: BTreeMap<StreamId, Version> = self.logs.get(log).map_or_else(BTreeMap::new, |held| {
            streams.filter_map(|stream| Some((stream.clone(), held.version(stream)?))).collect()
        });
        Held {
            log: log.clone(),
            incarnation: self.incarnation,
            prefix: self.end(log).prefix,
            versions,
            sightings: self.sightings(log.scope(), log.partition(), ids),
        }
    }

    #[cfg(feature = "test-util")]
    pub(super) fn forget_fences(&mut self) {
        self.fences.clear();
    }

    fn write(&mut self, Batch { log, decision }: Batch) {
        if decision.records.is_empty() {
            return;
        }
        let ids = self.ids.entry((log.scope().clone(), log.partition())).or_default();
        for planned in &decision.records {
            ids.entry(planned.record.id).or_default().push(planned.sighting(&log));
        }
        self.logs.entry(log).or_default().write(decision);
    }
}

impl Image for EventImage {
    type Change = Change;

    fn apply(&mut self, change: Change) {
        self.commit_sequence += 1;
        self.fences.extend(change.fences);
        self.generations.extend(change.generations);
        if let Some(batch) = change.batch {
            self.write(batch);
        }
        if let Some(cursor) = change.cursor {
            self.cursors.insert(cursor.name, cursor.value);
        }
    }
}

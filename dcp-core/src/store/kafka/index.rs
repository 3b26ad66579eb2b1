//! What a store knows of one log: where it ends, versions, the latest ids, and places to begin reading
//! at. Pure.

use std::collections::{BTreeMap, VecDeque};

use super::chain::{Chain, Folded, Taken};
use super::page::Page;
use crate::digest::Digest;
use crate::error::Error;
use crate::event::{EventId, StreamId, Version};
use crate::log::LogId;
use crate::ownership::Epoch;
use crate::ports::event_store::Sighting;
use crate::position::{LogEnd, LogIncarnation, Position, PrefixDigest};
use crate::store::append::Decision;

/// A place to begin reading at is kept each so many records.
const MARK_EVERY: u64 = 256;

/// A place to begin reading at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// The log's prefix before it.
    pub(super) prefix: PrefixDigest,
    /// Offset at which the next record is or comes after.
    pub(super) offset: i64,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    rank: u64,
    epoch: Epoch,
    version: Version,
    content: Digest,
}

/// One log, as far as it was folded.
#[derive(Debug)]
pub(super) struct Index {
    log: LogId,
    incarnation: LogIncarnation,
    chain: Chain,
    /// Offset of the first record that was there when the fold began.
    first: Mark,
    /// Offset to fold from.
    next: i64,
    /// Whether the marker of a transaction of this process must come there.
    marker_due: bool,
    leader_epoch: Option<i32>,
    /// Rank of the last record that is somebody else's.
    adopted: u64,
    marks: Vec<Mark>,
    ids: BTreeMap<EventId, Held>,
    order: VecDeque<(EventId, u64)>,
    horizon: usize,
}

impl Index {
    /// Before anything was folded, in a topic that begins at this offset.
    pub(super) fn new(log: LogId, incarnation: LogIncarnation, start: i64, horizon: usize) -> Self {
        let of = |chain: fn(LogId, LogIncarnation) -> Chain| chain(log.clone(), incarnation);
        let chain = of(if start == 0 { Chain::whole } else { Chain::headless });
        Self {
            chain,
            first: Mark { prefix: PrefixDigest::EMPTY, offset: start },
            next: start,
            marker_due: false,
            leader_epoch: None,
            adopted: 0,
            marks: Vec::new(),
            ids: BTreeMap::new(),
            order: VecDeque::new(),
            horizon,
            log,
            incarnation,
        }
    }

    pub(super) fn incarnation(&self) -> LogIncarnation {
        self.incarnation
    }

    pub(super) fn next(&self) -> i64 {
        self.next
    }

    pub(super) fn leader_epoch(&self) -> Option<i32> {
        self.leader_epoch
    }

    /// Where the next batch of a writer lands if nobody else writes.
    pub(super) fn expected_offset(&self) -> i64 {
        self.next + i64::from(self.marker_due)
    }

    pub(super) fn prefix(&self) -> PrefixDigest {
        self.chain.prefix()
    }

    /// Whether every stream's version is known.
    pub(super) fn is_whole(&self) -> bool {
        self.chain.is_whole()
    }

    /// Whether somebody else's records are among those after this rank.
    pub(super) fn has_adopted_after(&self, rank: u64) -> bool {
        self.adopted > rank
    }

    pub(super) fn version(&self, stream: &StreamId) -> Option<Version> {
        self.chain.version(stream)
    }

    /// Where the log ends.
    ///
    /// # Errors
    /// `Refused` if all its records are gone: nobody can say how many there were.
    pub(super) fn end(&self) -> Result<LogEnd, Error> {
        if !self.chain.is_anchored() {
            let message = format!("{}: every record of it was deleted; make the topic anew", self.log);
            return Err(Error::refused("emptied-log", message));
        }
        let prefix = self.prefix();
        let last = (prefix.count > 0).then(|| Position::from_store(self.incarnation, prefix.count));
        Ok(LogEnd { incarnation: self.incarnation, last, prefix })
    }

    /// Folds an answer that began at or before where the fold stands.
    ///
    /// # Errors
    /// As [`Chain::take`]; the index then stays where it was before the record.
    pub(super) fn fold(&mut self, page: &Page) -> Result<(), Error> {
        let from = self.next;
        for read in page.records.iter().filter(|read| read.offset >= from) {
            let anchored = self.chain.is_anchored();
            match self.chain.take(read)? {
                Taken::Record(folded) => self.note(&folded, read.offset, anchored),
                // A log that is folded from its first record counts all versions.
                Taken::NeedsVersions => {
                    let message = format!("{}: offset {}: a record of somebody else's", self.log, read.offset);
                    return Err(Error::refused("adopted-head-gone", message));
                }
            }
        }
        if page.next > self.next {
            self.next = page.next;
            self.marker_due = false;
        }
        self.leader_epoch = page.leader_epoch.or(self.leader_epoch);
        Ok(())
    }

    fn note(&mut self, folded: &Folded, offset: i64, anchored: bool) {
        let (rank, record) = (folded.placed.position.rank(), &folded.placed.record);
        if !anchored {
            // The digest before it is nowhere: reading begins at it, without one.
            self.first.prefix.count = rank - 1;
        }
        if folded.adopted {
            self.adopted = rank;
        }
        self.next = offset + 1;
        self.marker_due = false;
        self.remember(record.id, Held { rank, epoch: record.epoch, version: record.version, content: folded.content });
        self.mark();
    }

    fn mark(&mut self) {
        let prefix = self.prefix();
        if prefix.count.is_multiple_of(MARK_EVERY) {
            self.marks.push(Mark { prefix, offset: self.next });
        }
    }

    // The first place of an id is kept: a later one in the same log is a copy.
    fn remember(&mut self, id: EventId, held: Held) {
        self.ids.entry(id).or_insert(held);
        self.order.push_back((id, held.rank));
        while self.order.len() > self.horizon {
            let oldest = self.order.pop_front();
            let same = oldest.filter(|(id, rank)| self.ids.get(id).is_some_and(|held| held.rank == *rank));
            if let Some((id, _)) = same {
                self.ids.remove(&id);
            }
        }
    }

    /// Takes a decision that this process has committed, its records from this offset on.
    pub(super) fn land(&mut self, decision: &Decision, base: i64) {
        // A fold may have been faster.
        if decision.prefix.count <= self.prefix().count {
            return;
        }
        for (offset, planned) in (base..).zip(&decision.records) {
            let record = &planned.record;
            let (rank, content) = (planned.prefix.count, planned.content);
            self.next = offset + 1;
            self.remember(record.id, Held { rank, epoch: record.epoch, version: record.version, content });
            self.chain.land(planned.prefix, &record.stream, record.version);
            self.mark();
        }
        self.marker_due = true;
        // Of the leader that wrote them, which may not be the one of the last fold.
        self.leader_epoch = None;
    }

    /// Where these ids are.
    pub(super) fn sightings<'a>(
        &'a self,
        ids: impl Iterator<Item = &'a EventId> + 'a,
    ) -> impl Iterator<Item = Sighting> + 'a {
        ids.filter_map(|id| {
            let held = self.ids.get(id)?;
            Some(Sighting {
                id: *id,
                log: self.log.clone(),
                position: Position::from_store(self.incarnation, held.rank),
                epoch: held.epoch,
                version: held.version,
                content: held.content,
            })
        })
    }

    /// Where to begin reading in order to come to what is after this rank.
    pub(super) fn mark_before(&self, rank: u64) -> Mark {
        let end = Mark { prefix: self.prefix(), offset: self.next };
        if rank >= end.prefix.count && self.chain.is_anchored() {
            return end;
        }
        let after = self.marks.partition_point(|mark| mark.prefix.count <= rank);
        after.checked_sub(1).map_or(self.first, |at| self.marks[at])
    }

    /// Where the log began when it was first looked at.
    pub(super) fn first(&self) -> Mark {
        self.first
    }
}

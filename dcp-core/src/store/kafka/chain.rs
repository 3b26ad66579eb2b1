//! The fold of a log: what each record is, and that it continues the one before. Pure.

use std::collections::BTreeMap;

use super::{adopted, headers};
use crate::digest::Digest;
use crate::error::Error;
use crate::event::{Placed, StreamId, Version};
use crate::kafka::batch;
use crate::log::LogId;
use crate::position::{LogIncarnation, Position, PrefixDigest};

/// A record that the fold has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folded {
    pub(super) placed: Placed,
    pub(super) content: Digest,
    /// Whether it is somebody else's.
    pub(super) adopted: bool,
}

/// What became of a record that was offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Taken {
    Record(Box<Folded>),
    /// It is somebody else's and its version must be counted: fold the log from its first record.
    NeedsVersions,
}

/// Where a fold stands.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    log: LogId,
    incarnation: LogIncarnation,
    prefix: PrefixDigest,
    /// False before the first record of a log whose head is gone: its headers say where it stands.
    anchored: bool,
    /// Versions of all streams since the first record; none where they are not kept.
    versions: Option<BTreeMap<StreamId, Version>>,
}

impl Chain {
    /// Before the first record that there ever was.
    pub(super) fn whole(log: LogId, incarnation: LogIncarnation) -> Self {
        Self { log, incarnation, prefix: PrefixDigest::EMPTY, anchored: true, versions: Some(BTreeMap::new()) }
    }

    /// After this prefix.
    pub(super) fn after(log: LogId, incarnation: LogIncarnation, prefix: PrefixDigest) -> Self {
        Self { log, incarnation, prefix, anchored: true, versions: None }
    }

    /// Before the first record that is left.
    pub(super) fn headless(log: LogId, incarnation: LogIncarnation) -> Self {
        Self { log, incarnation, prefix: PrefixDigest::EMPTY, anchored: false, versions: None }
    }

    pub(super) fn prefix(&self) -> PrefixDigest {
        self.prefix
    }

    /// Whether it knows the rank of what comes next.
    pub(super) fn is_anchored(&self) -> bool {
        self.anchored
    }

    /// Whether the versions of all streams are known.
    pub(super) fn is_whole(&self) -> bool {
        self.versions.is_some()
    }

    pub(super) fn version(&self, stream: &StreamId) -> Option<Version> {
        self.versions.as_ref()?.get(stream).copied()
    }

    /// Keeps no versions any longer.
    pub(super) fn forget_versions(&mut self) {
        self.versions = None;
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// `Corrupt` if it does not continue the log; `Refused` for somebody else's record in a log whose
    /// head is gone, since nobody can count its place.
    pub(super) fn take(&mut self, read: &batch::Record) -> Result<Taken, Error> {
        let at = |error: Error| error.at(&self.log);
        let Some(ours) = headers::from_kafka(read).map_err(at)? else { return self.adopt(read) };
        // The very first record, behind markers that were deleted: nothing is missing.
        if !self.anchored && ours.prefix.count == 1 {
            *self = Self::whole(self.log.clone(), self.incarnation);
        }
        let at = |error: Error| error.at(&self.log);
        let content = ours.record.content_digest();
        let expected = if self.anchored { self.prefix.then(&ours.record.digest()) } else { ours.prefix };
        if ours.prefix != expected {
            let message = format!(
                "offset {}: record {} with digest {} cannot follow {} records with digest {}: the topic was truncated, \
                 made anew, or written by a second writer; keep it closed and keep the data",
                read.offset, ours.prefix.count, ours.prefix.digest, self.prefix.count, self.prefix.digest
            );
            return Err(at(Error::corrupt("broken-chain", message)));
        }
        if let Some(versions) = &mut self.versions {
            let before = versions.entry(ours.record.stream.clone()).or_insert(Version::NONE);
            if before.next() != ours.record.version {
                let (is, stream) = (ours.record.version, &ours.record.stream);
                let message = format!("offset {}: version {is} of stream {stream} follows {before}", read.offset);
                return Err(at(Error::corrupt("version-gap", message)));
            }
            *before = ours.record.version;
        }
        self.anchored = true;
        self.prefix = ours.prefix;
        Ok(self.folded(ours.record, content, false))
    }

    fn adopt(&mut self, read: &batch::Record) -> Result<Taken, Error> {
        if !self.anchored {
            let message = format!(
                "{}: the record at offset {} is not the store's, and what was before it is gone: its place cannot be \
                 counted. Adopt topics before their first records are deleted",
                self.log, read.offset
            );
            return Err(Error::refused("adopted-head-gone", message));
        }
        let Some(versions) = &mut self.versions else { return Ok(Taken::NeedsVersions) };
        let before = versions.entry(adopted::stream(read.key.as_ref())).or_insert(Version::NONE);
        *before = before.next();
        let record = adopted::record(self.incarnation, self.log.partition(), read, *before)?;
        self.prefix = self.prefix.then(&record.digest());
        let content = record.content_digest();
        Ok(self.folded(record, content, true))
    }

    /// Takes what this process has just written itself.
    pub(super) fn land(&mut self, prefix: PrefixDigest, stream: &StreamId, version: Version) {
        self.prefix = prefix;
        if let Some(known) = &mut self.versions {
            known.insert(stream.clone(), version);
        }
    }

    fn folded(&self, record: crate::event::Record, content: Digest, adopted: bool) -> Taken {
        let position = Position::from_store(self.incarnation, self.prefix.count);
        Taken::Record(Box::new(Folded { placed: Placed { position, record }, content, adopted }))
    }
}

//! An event store in memory.

mod image;
mod reader;
#[cfg(test)]
#[cfg(feature = "test-util")]
mod tests;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use self::image::{EventImage, Opening};
use self::reader::MemoryReader;
use self::writer::MemoryWriter;
use super::disk::{Disk, SyncHold};
use crate::clock::Entropy;
use crate::error::{Error, Failure};
use crate::event::EventId;
use crate::fence::Fence;
use crate::ids::{CursorName, RegionId, ScopeId};
use crate::log::LogId;
use crate::ownership::WriteGrant;
use crate::ports::event_store::{
    EventReader, EventSource, EventStore, EventWriter, ReadFrom, Sighting, StoreIdentity, WriterRole,
};
use crate::position::{Cut, LogIncarnation, PrefixDigest};
use crate::store::admission::{check_role, judge_grant, records_before};

/// An [`EventStore`] in memory, for tests and simulation. Clones show one store.
///
/// Writes are serialised; each yields once between write and sync. Waiting for records needs
/// tokio's timer, which may be paused.
#[derive(Debug, Clone)]
pub struct MemoryEventStore {
    region: RegionId,
    disk: Arc<Disk<EventImage>>,
}

/// What a [`MemoryEventStore`] held at one moment, as a backup would.
#[derive(Debug, Clone)]
pub struct EventBackup(EventImage);

#[cfg(feature = "test-util")]
impl EventBackup {
    /// The backup without the fences, for a planted defect.
    #[must_use]
    pub fn without_fences(mut self) -> Self {
        self.0.forget_fences();
        self
    }
}

impl MemoryEventStore {
    /// An empty store of a region. No two stores may have one incarnation.
    #[must_use]
    pub fn new(region: RegionId, incarnation: LogIncarnation) -> Self {
        Self { region, disk: Arc::new(Disk::new(EventImage::new(incarnation))) }
    }

    /// An empty store of a region, its incarnation drawn.
    #[must_use]
    pub fn drawn(region: RegionId, entropy: &dyn Entropy) -> Self {
        let mut incarnation = [0; 16];
        incarnation.copy_from_slice(&entropy.draw()[..16]);
        Self::new(region, LogIncarnation::from_bytes(incarnation))
    }

    /// The region whose store it is.
    #[must_use]
    pub fn region(&self) -> &RegionId {
        &self.region
    }

    /// Loses what was not synced; calls and sessions answer `Stopped` until
    /// [`MemoryEventStore::reopen`], sessions also after it.
    pub fn crash(&self) {
        self.disk.crash();
    }

    /// Opens on what was durable.
    pub fn reopen(&self) {
        self.disk.reopen();
    }

    /// Holds back every sync until the hold is dropped.
    pub fn hold_sync(&self) -> SyncHold {
        self.disk.hold_sync()
    }

    /// A copy of what is durable now.
    #[must_use]
    pub fn backup(&self) -> EventBackup {
        EventBackup(self.disk.backup())
    }

    /// Crashes and puts a backup in place of what was durable, as a careless restore does: with
    /// the same incarnation and an older commit sequence. Closed until
    /// [`MemoryEventStore::reopen`].
    pub fn restore(&self, backup: EventBackup) {
        self.disk.restore(backup.0);
    }
}

#[async_trait]
impl EventSource for MemoryEventStore {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        self.disk.read(None, EventImage::identity)
    }

    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error> {
        self.disk.read(None, |image| image.ends(logs))
    }

    async fn logs(&self) -> Result<Vec<LogId>, Error> {
        self.disk.read(None, EventImage::logs)
    }

    async fn fence(&self, log: &LogId) -> Result<Fence, Error> {
        self.disk.read(None, |image| image.fence(log))
    }

    async fn prefix(&self, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        self.disk.read(None, |image| image.prefix(log, count))
    }

    async fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Result<Vec<Sighting>, Error> {
        self.disk.read(None, |image| image.sightings(scope, partition, ids))
    }

    async fn cursor(&self, name: &CursorName) -> Result<Option<Bytes>, Error> {
        self.disk.read(None, |image| image.cursor(name))
    }

    async fn open_reader(&self, log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error> {
        let life = self.disk.life()?;
        let before = self.disk.read(Some(life), |image| records_before(log, &image.end(log), from))??;
        Ok(Box::new(MemoryReader::new(Arc::clone(&self.disk), life, log.clone(), before)))
    }
}

#[async_trait]
impl EventStore for MemoryEventStore {
    async fn open_writer(&self, logs: &[LogId], role: WriterRole) -> Result<Box<dyn EventWriter>, Failure> {
        check_role(&self.region, logs, &role).map_err(Failure::NotApplied)?;
        let life = self.disk.life().map_err(Failure::NotApplied)?;
        let decide = |image: &EventImage| {
            let opening = Opening::decide(image, logs, &role)?;
            let generations = opening.generations();
            Ok((Some(opening.into_change()), generations))
        };
        let generations = self.disk.commit(Some(life), decide).await?;
        Ok(Box::new(MemoryWriter::new(Arc::clone(&self.disk), life, role, generations)))
    }

    async fn seal(&self, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure> {
        let decide = |image: &EventImage| {
            let mut fences = Vec::new();
            for log in logs {
                if let Some(raised) = judge_grant(&image.fence(log), log, grant)? {
                    fences.push((log.clone(), raised));
                }
            }
            // Writes take turns: no append is under way while this one has its turn.
            let change = (!fences.is_empty()).then(|| image::Change::fences(fences));
            Ok((change, image.ends(logs)))
        };
        self.disk.commit(None, decide).await
    }
}

//! A writing session.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::image::{Batch, Change, EventImage};
use crate::error::{Error, Failure};
use crate::event::EventId;
use crate::log::LogId;
use crate::memory::disk::{Disk, Life};
use crate::ports::event_store::{Appended, CopyBatch, EventWriter, OwnerBatch, WriterRole};
use crate::position::PrefixDigest;
use crate::store::admission::{RoleKind, epoch_of, judge_grant};
use crate::store::append::{check_copy_batch, check_owner_batch, decide_append, decide_copy};

#[derive(Debug)]
pub(super) struct MemoryWriter {
    disk: Arc<Disk<EventImage>>,
    life: Life,
    role: WriterRole,
    generations: BTreeMap<LogId, u64>,
}

impl MemoryWriter {
    pub(super) fn new(
        disk: Arc<Disk<EventImage>>,
        life: Life,
        role: WriterRole,
        generations: BTreeMap<LogId, u64>,
    ) -> Self {
        Self { disk, life, role, generations }
    }

    fn generation(&self, log: &LogId) -> Result<u64, Error> {
        self.generations
            .get(log)
            .copied()
            .ok_or_else(|| Error::refused("log-not-opened", format!("{log}: this writer was not opened on it")))
    }

    // Compared in the write's own turn: a fence raised or a writer opened before it counts.
    fn admit(&self, image: &EventImage, log: &LogId, generation: u64) -> Result<(), Error> {
        if let WriterRole::Owner(grant) = &self.role {
            judge_grant(&image.fence(log), log, grant)?;
        }
        let current = image.generation(&(log.clone(), RoleKind::of(&self.role)));
        if current != generation {
            return Err(Error::fenced("other-writer", format!("{log}: another writer was opened since")));
        }
        Ok(())
    }
}

#[async_trait]
impl EventWriter for MemoryWriter {
    async fn append(&self, batch: OwnerBatch) -> Result<Appended, Failure> {
        if RoleKind::of(&self.role) == RoleKind::Mirror {
            return Err(Failure::NotApplied(Error::refused("mirror-appends", "a mirror copies and never appends")));
        }
        let generation = self.generation(&batch.log).map_err(Failure::NotApplied)?;
        check_owner_batch(&batch).map_err(Failure::NotApplied)?;
        let decide = |image: &EventImage| {
            let OwnerBatch { log, events, cursor } = batch;
            self.admit(image, &log, generation)?;
            let ids: Vec<EventId> = events.iter().map(|event| event.id).collect();
            let held = image.held(&log, events.iter().map(|event| &event.stream), &ids);
            let decision = decide_append(held, epoch_of(&self.role), events)?;
            let answer = Appended { acks: decision.acks.clone(), prefix: decision.prefix };
            let writes = cursor.is_some() || !decision.records.is_empty();
            Ok((writes.then(|| Change::batch(Batch { log, decision }, cursor)), answer))
        };
        self.disk.commit(Some(self.life), decide).await
    }

    async fn copy(&self, batch: CopyBatch) -> Result<PrefixDigest, Failure> {
        if RoleKind::of(&self.role) != RoleKind::Mirror {
            return Err(Failure::NotApplied(Error::refused("owner-copies", "only a mirror copies")));
        }
        let generation = self.generation(&batch.log).map_err(Failure::NotApplied)?;
        check_copy_batch(&batch).map_err(Failure::NotApplied)?;
        let decide = |image: &EventImage| {
            let CopyBatch { log, after, records, cursor } = batch;
            self.admit(image, &log, generation)?;
            let held = image.held(&log, records.iter().map(|record| &record.stream), &[]);
            let decision = decide_copy(held, after, records)?;
            let prefix = decision.prefix;
            let writes = cursor.is_some() || !decision.records.is_empty();
            Ok((writes.then(|| Change::batch(Batch { log, decision }, cursor)), prefix))
        };
        self.disk.commit(Some(self.life), decide).await
    }
}

//! A reading session.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::image::EventImage;
use crate::error::Error;
use crate::event::Placed;
use crate::log::LogId;
use crate::memory::disk::{Disk, Life};
use crate::ports::event_store::EventReader;

#[derive(Debug)]
pub(super) struct MemoryReader {
    disk: Arc<Disk<EventImage>>,
    life: Life,
    log: LogId,
    read: u64,
}

impl MemoryReader {
    pub(super) fn new(disk: Arc<Disk<EventImage>>, life: Life, log: LogId, read: u64) -> Self {
        Self { disk, life, log, read }
    }

    async fn arrival(&self) -> Result<(), Error> {
        let arrived = |image: &EventImage| (image.end(&self.log).prefix.count > self.read).then_some(());
        self.disk.wait_for(self.life, arrived).await
    }
}

#[async_trait]
impl EventReader for MemoryReader {
    async fn next(&mut self, limit: usize, wait: Duration) -> Result<Vec<Placed>, Error> {
        let empty = self.disk.read(Some(self.life), |image| image.end(&self.log).prefix.count <= self.read)?;
        if empty {
            if wait.is_zero() {
                return Ok(Vec::new());
            }
            match tokio::time::timeout(wait, self.arrival()).await {
                Ok(arrived) => arrived?,
                Err(_) => return Ok(Vec::new()),
            }
        }
        // Nothing is awaited between taking the records and answering them: a dropped call has
        // taken none.
        let records = self.disk.read(Some(self.life), |image| image.records(&self.log, self.read, limit))?;
        self.read += records.len() as u64;
        Ok(records)
    }
}

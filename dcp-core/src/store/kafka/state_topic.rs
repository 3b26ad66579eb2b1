//! The store's own topic, read up to its end whenever something of it is asked for.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;

use super::cluster::{Cluster, GONE, OTHER, Until};
use super::log::{fetch, wait_for_decision};
use super::state::{Folded, cursor_key, fence_key, partition_of, read_fence};
use crate::error::Error;
use crate::fence::Fence;
use crate::ids::CursorName;
use crate::kafka::{TopicDescription, TopicId, TopicPartition};
use crate::log::LogId;

/// Fences, cursors and the store's own record.
#[derive(Debug)]
pub(super) struct StateTopic {
    name: Arc<str>,
    id: TopicId,
    partitions: Vec<Mutex<Folded>>,
    record_max: usize,
}

impl StateTopic {
    /// Of a topic that takes batches of so many bytes.
    pub(super) fn new(topic: &TopicDescription, record_max: usize) -> Self {
        let partitions = topic.partitions.iter().map(|_| Mutex::default()).collect();
        Self { name: Arc::clone(&topic.name), id: topic.id, partitions, record_max }
    }

    pub(super) fn count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }

    /// Largest batch that it takes, in bytes.
    pub(super) fn record_max(&self) -> usize {
        self.record_max
    }

    /// Refuses another topic in its place.
    pub(super) fn check(&self, topic: Option<&TopicDescription>) -> Result<(), Error> {
        match topic {
            Some(topic) if topic.id == self.id => Ok(()),
            Some(_) => Err(Error::corrupt(
                OTHER,
                format!("topic {} was made anew: the store's fences are lost; keep it closed", self.name),
            )),
            None => Err(Error::corrupt(
                GONE,
                format!(
                    "topic {} is not shown: if it was deleted, the store's fences are lost; keep it closed",
                    self.name
                ),
            )),
        }
    }

    /// Where a key is.
    pub(super) fn place(&self, key: &str) -> TopicPartition {
        TopicPartition::new(Arc::clone(&self.name), partition_of(key, self.count()))
    }

    /// The value of a key as of now: whatever was written before is decided first.
    ///
    /// # Errors
    /// `Retry` if the cluster does not answer in time; `Corrupt` if the topic is another one.
    pub(super) async fn get(&self, cluster: &Cluster, key: &str) -> Result<Option<Bytes>, Error> {
        self.get_until(cluster, key, Until::Decided).await
    }

    /// The value of a key, as far as it is asked for.
    pub(super) async fn get_until(&self, cluster: &Cluster, key: &str, until: Until) -> Result<Option<Bytes>, Error> {
        let place = self.place(key);
        let folded = usize::try_from(place.partition).ok().and_then(|at| self.partitions.get(at));
        let Some(folded) = folded else { return Ok(None) };
        // Before it is asked: another reader may come further than the answer meanwhile.
        let before = folded.lock().await.next();
        let standing = cluster.within(cluster.standing(&place, self.id, until)).await?;
        if standing.high_watermark < before {
            let ends = standing.high_watermark;
            let message =
                format!("{place} ends at {ends} and was read up to {before}: fences may be lost; keep it closed");
            return Err(Error::corrupt("truncated", message));
        }
        cluster.within(self.reach(cluster, &place, folded, standing.target)).await?;
        Ok(folded.lock().await.get(key).cloned())
    }

    async fn reach(
        &self,
        cluster: &Cluster,
        place: &TopicPartition,
        folded: &Mutex<Folded>,
        target: i64,
    ) -> Result<(), Error> {
        let mut pause = std::time::Duration::from_millis(1);
        // Released while it waits for a decision: nobody waits for those who wait.
        loop {
            let moved = {
                let mut folded = folded.lock().await;
                let from = folded.next();
                if from >= target {
                    return Ok(());
                }
                let page = fetch(cluster, place, from, None).await?;
                let moved = page.next > from;
                folded.fold(page);
                moved
            };
            pause = wait_for_decision(cluster, moved, pause).await;
        }
    }

    pub(super) async fn fence(&self, cluster: &Cluster, log: &LogId) -> Result<Fence, Error> {
        read_fence(log, self.get(cluster, &fence_key(log)).await?.as_ref())
    }

    pub(super) async fn cursor(&self, cluster: &Cluster, name: &CursorName) -> Result<Option<Bytes>, Error> {
        self.get(cluster, &cursor_key(name)).await
    }
}

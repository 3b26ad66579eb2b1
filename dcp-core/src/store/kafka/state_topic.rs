//! The store's own topic, read up to its end whenever something of it is asked for.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;

use super::cluster::{Cluster, Until};
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
}

impl StateTopic {
    pub(super) fn new(topic: &TopicDescription) -> Self {
        let partitions = topic.partitions.iter().map(|_| Mutex::default()).collect();
        Self { name: Arc::clone(&topic.name), id: topic.id, partitions }
    }

    pub(super) fn count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }

    /// Refuses another topic in its place.
    pub(super) fn check(&self, topic: Option<&TopicDescription>) -> Result<(), Error> {
        match topic {
            Some(topic) if topic.id == self.id => Ok(()),
            _ => Err(Error::corrupt(
                "other-incarnation",
                format!("topic {} was deleted or made anew: the store's fences are lost; keep it closed", self.name),
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
        let place = self.place(key);
        let folded = usize::try_from(place.partition).ok().and_then(|at| self.partitions.get(at));
        let Some(folded) = folded else { return Ok(None) };
        let read = async {
            // Before the broker is asked: others fold on while it answers.
            let next = folded.lock().await.next();
            let standing = cluster.standing(&place, self.id, Until::Decided).await?;
            let mut folded = folded.lock().await;
            if standing.high_watermark < next {
                let ends = standing.high_watermark;
                let message =
                    format!("{place} ends at {ends} and was read up to {next}: fences may be lost; keep it closed");
                return Err(Error::corrupt("truncated", message));
            }
            let mut pause = std::time::Duration::from_millis(1);
            while folded.next() < standing.target {
                let from = folded.next();
                let page = fetch(cluster, &place, from, None).await?;
                let moved = page.next > from;
                folded.fold(page);
                pause = wait_for_decision(cluster, moved, pause).await;
            }
            Ok(folded.get(key).cloned())
        };
        cluster.within(read).await
    }

    pub(super) async fn fence(&self, cluster: &Cluster, log: &LogId) -> Result<Fence, Error> {
        read_fence(log, self.get(cluster, &fence_key(log)).await?.as_ref())
    }

    pub(super) async fn cursor(&self, cluster: &Cluster, name: &CursorName) -> Result<Option<Bytes>, Error> {
        self.get(cluster, &cursor_key(name)).await
    }
}

//! The store's own topic, read up to its end whenever something of it is asked for.
//!
//! Many logs share a partition of it. What is stable is folded once for all of them; behind it only the
//! transactions matter that have written the [very key](Tail). Each key has few writers: a log's fence and holders are written
//! under that log's own transactional ids, one for each role, and nobody else's; so whoever has taken the id
//! finds all of them decided, whatever else hangs in the partition.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;

use super::cluster::{Cluster, GONE, OTHER, Until, undecided_at};
use super::log::{PAUSE_MIN, fetch, only, request, wait_for_decision};
use super::state::{Folded, cursor_key, fence_key, partition_of, read_fence};
use super::tail::Tail;
use crate::error::Error;
use crate::fence::Fence;
use crate::ids::CursorName;
use crate::kafka::{Isolation, TopicDescription, TopicId, TopicPartition};
use crate::log::LogId;

/// How long a writer that lives may take from its records to the marker behind them.
const GRACE: Duration = Duration::from_millis(500);

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

    /// The value of a key as of now: whatever was written of it before is decided first.
    ///
    /// # Errors
    /// `Retry` if the cluster does not answer in time, or ([`UNDECIDED`](super::cluster::UNDECIDED)) if a
    /// transaction that has written the key does not end; `Corrupt` if the topic is another one.
    pub(super) async fn get(&self, cluster: &Cluster, key: &str) -> Result<Option<Bytes>, Error> {
        self.get_until(cluster, key, Until::Decided).await
    }

    /// The value of a key, as far as it is asked for.
    pub(super) async fn get_until(&self, cluster: &Cluster, key: &str, until: Until) -> Result<Option<Bytes>, Error> {
        let patience = match until {
            Until::Stable => Duration::ZERO,
            Until::Decided => cluster.settings.deadline,
        };
        let (value, undecided) = self.get_within(cluster, key, patience).await?;
        match undecided.filter(|_| until == Until::Decided) {
            Some(offset) => Err(undecided_at(cluster, &self.place(key), offset).at(key)),
            None => Ok(value),
        }
    }

    /// The value of a key as it is decided by now or in a short while. A writer that lives decides within
    /// it, and one that has died keeps nobody waiting.
    pub(super) async fn get_soon(&self, cluster: &Cluster, key: &str) -> Result<Option<Bytes>, Error> {
        let patience = GRACE.min(cluster.settings.deadline);
        self.get_within(cluster, key, patience).await.map(|(value, _)| value)
    }

    /// The value as far as it is decided, and where the key was written before in a transaction that has not
    /// ended within this time.
    async fn get_within(
        &self,
        cluster: &Cluster,
        key: &str,
        patience: Duration,
    ) -> Result<(Option<Bytes>, Option<i64>), Error> {
        let place = self.place(key);
        let folded = usize::try_from(place.partition).ok().and_then(|at| self.partitions.get(at));
        let Some(folded) = folded else { return Ok((None, None)) };
        // Before it is asked: another reader may come further than the answer meanwhile.
        let before = folded.lock().await.next();
        let standing = cluster.within(cluster.standing(&place, self.id, Until::Stable)).await?;
        let high = standing.high_watermark;
        if high < before {
            let message =
                format!("{place} ends at {high} and was read up to {before}: fences may be lost; keep it closed");
            return Err(Error::corrupt("truncated", message));
        }
        cluster.within(self.reach(cluster, &place, folded, standing.target)).await?;
        let mut tail = {
            let folded = folded.lock().await;
            Tail::new(key, folded.next(), folded.get(key).cloned())
        };
        cluster.within(read_tail(cluster, &place, &mut tail, high)).await?;
        let (asked, mut pause) = (cluster.clock.now(), PAUSE_MIN);
        loop {
            let undecided = tail.undecided_before(high);
            if undecided.is_none() || cluster.clock.now().since(asked) >= patience {
                return Ok((tail.value().cloned(), undecided));
            }
            let from = tail.next();
            cluster.within(fetch_tail(cluster, &place, &mut tail)).await?;
            pause = wait_for_decision(cluster, tail.next() > from, pause).await;
        }
    }

    // Up to what is stable, which is there at once.
    async fn reach(
        &self,
        cluster: &Cluster,
        place: &TopicPartition,
        folded: &Mutex<Folded>,
        target: i64,
    ) -> Result<(), Error> {
        let mut pause = PAUSE_MIN;
        // Released while it waits: nobody waits for those who wait.
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

    /// The fence as [`StateTopic::get_soon`] has it.
    pub(super) async fn fence_soon(&self, cluster: &Cluster, log: &LogId) -> Result<Fence, Error> {
        read_fence(log, self.get_soon(cluster, &fence_key(log)).await?.as_ref())
    }

    pub(super) async fn cursor(&self, cluster: &Cluster, name: &CursorName) -> Result<Option<Bytes>, Error> {
        self.get(cluster, &cursor_key(name)).await
    }
}

async fn read_tail(cluster: &Cluster, place: &TopicPartition, tail: &mut Tail, high: i64) -> Result<(), Error> {
    let mut pause = PAUSE_MIN;
    while tail.next() < high {
        let from = tail.next();
        fetch_tail(cluster, place, tail).await?;
        // A leader that was elected just now may not answer all of it yet.
        pause = wait_for_decision(cluster, tail.next() > from, pause).await;
    }
    Ok(())
}

async fn fetch_tail(cluster: &Cluster, place: &TopicPartition, tail: &mut Tail) -> Result<(), Error> {
    let request = request(place, tail.next(), None).with_isolation(Isolation::ReadUncommitted);
    let fetched = only(cluster.client.fetch(request).await?, place)?;
    tail.fold(fetched.records).map_err(|error| error.at(place))
}

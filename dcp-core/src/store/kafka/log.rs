//! One log of the store, folded as far as it is asked for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::chain::Chain;
use super::cluster::{Cluster, OTHER, Standing, Until, incarnation, late, no_partition, undecided_at};
use super::index::Index;
use super::page::{self, Page};
use super::patience::Patience;
use crate::clock::Moment;
use crate::error::Error;
use crate::kafka::{
    FetchFrom, FetchRequest, Fetched, FetchedPartition, OffsetAt, TopicDescription, TopicId, TopicPartition,
};
use crate::log::LogId;

/// Most bytes of one fetch.
pub(super) const FETCH_BYTES: i32 = 4 << 20;
/// Pause before it is looked again whether a transaction was decided; the longest, and the first.
const PAUSE_MAX: Duration = Duration::from_millis(50);
pub(super) const PAUSE_MIN: Duration = Duration::from_millis(1);
/// Codes of what no later read can take back: the log contradicts what was read of it. Whatever else is
/// wrong is found again if it lasts, and may pass.
const LASTING: [&str; 5] = ["broken-chain", "version-gap", TRUNCATED, "log-diverged", OTHER];
const TRUNCATED: &str = "truncated";

/// Where a read stands.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) chain: Chain,
    pub(super) offset: i64,
    /// Records up to this rank are passed over.
    pub(super) after: u64,
    /// Whether versions are counted on, though the store's own records say theirs.
    pub(super) keeps_versions: bool,
}

/// Where a fold stood before the cluster was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stands {
    asked: Moment,
    next: i64,
    /// Of the leader under which the last record of it was written.
    epoch: Option<i32>,
}

/// A log, its topic and what is known of it.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) id: LogId,
    pub(super) place: TopicPartition,
    pub(super) topic: TopicId,
    index: Mutex<Index>,
    /// One fold at a time.
    folding: tokio::sync::Mutex<()>,
    /// Up to which moment its end is known.
    confirmed: Mutex<Option<Moment>>,
    /// Leader epoch under which the fold's place was last found in the log.
    checked_epoch: Mutex<i32>,
    /// Why nothing more is said of it.
    broken: Mutex<Option<Error>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// Looks the log up, and folds nothing yet.
    pub(super) async fn open(cluster: &Cluster, id: &LogId, topic: &TopicDescription) -> Result<Self, Error> {
        let partition = i32::try_from(id.partition()).unwrap_or(i32::MAX);
        let place = TopicPartition::new(topic.name.clone(), partition);
        let Some(found) = topic.partition(partition) else { return Err(no_partition(&place, topic)) };
        let start = cluster.offset_of(&place, OffsetAt::LogStart).await?;
        let index = Index::new(id.clone(), incarnation(topic.id), start, cluster.settings.id_horizon);
        Ok(Self {
            id: id.clone(),
            place,
            topic: topic.id,
            index: Mutex::new(index),
            folding: tokio::sync::Mutex::default(),
            confirmed: Mutex::default(),
            checked_epoch: Mutex::new(found.leader_epoch),
            broken: Mutex::default(),
        })
    }

    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        lock(&self.index)
    }

    /// The moment as of which its end was last asked for and reached.
    pub(super) fn confirmed(&self) -> Option<Moment> {
        *lock(&self.confirmed)
    }

    /// Before the first record that there ever was, in order to count versions.
    pub(super) fn first_place(&self) -> Place {
        let chain = Chain::whole(self.id.clone(), incarnation(self.topic));
        Place { chain, offset: 0, after: 0, keeps_versions: true }
    }

    /// What contradicts itself stays so until the store is opened again.
    pub(super) fn check(&self) -> Result<(), Error> {
        lock(&self.broken).clone().map_or(Ok(()), Err)
    }

    /// Folds up to the log's end as of now, however long that takes while it comes further.
    ///
    /// # Errors
    /// `Retry` if the cluster does not answer in time, or a transaction stays undecided; `Corrupt` if the
    /// log does not continue what was folded, and from then on.
    pub(super) async fn catch_up(&self, cluster: &Cluster, until: Until) -> Result<(), Error> {
        self.check()?;
        // Before it is asked: a writer or another fold may come further than the answer meanwhile.
        let before = self.stands(cluster);
        let standing = cluster.within(cluster.standing(&self.place, self.topic, until)).await;
        self.arrive(cluster, before, standing).await
    }

    /// Folds as far as the cluster said when it was asked, which was after `before`.
    ///
    /// # Errors
    /// As [`Log::catch_up`].
    pub(super) async fn arrive(
        &self,
        cluster: &Cluster,
        before: Stands,
        standing: Result<Standing, Error>,
    ) -> Result<(), Error> {
        self.check()?;
        let reached = async { self.reach(cluster, &before, &standing?).await };
        let asked = before.asked;
        match reached.await {
            Ok(()) => {
                let mut confirmed = lock(&self.confirmed);
                *confirmed = (*confirmed).max(Some(asked));
                Ok(())
            }
            Err(error) if LASTING.contains(&error.code()) => {
                lock(&self.broken).get_or_insert_with(|| error.clone());
                Err(error)
            }
            Err(error) => Err(error.at(&self.id)),
        }
    }

    async fn reach(&self, cluster: &Cluster, before: &Stands, standing: &Standing) -> Result<(), Error> {
        cluster.within(self.check_place(cluster, before, standing)).await?;
        let target = standing.target;
        let deadline = cluster.settings.deadline;
        let mut patience = Patience::new(self.index().next(), cluster.clock.now(), deadline);
        let _folding = loop {
            if self.index().next() >= target {
                return Ok(());
            }
            tokio::select! {
                biased;
                folding = self.folding.lock() => break folding,
                () = cluster.clock.sleep(deadline) => self.persevere(cluster, &mut patience)?,
            }
        };
        let (mut pause, mut moved) = (PAUSE_MIN, true);
        loop {
            let Stands { next: from, epoch, .. } = self.stands(cluster);
            if from >= target {
                return Ok(());
            }
            // A leader that answers, and has nothing more that is stable.
            let why = |late: Error| if moved { late } else { undecided_at(cluster, &self.place, from) };
            self.persevere(cluster, &mut patience).map_err(why)?;
            let page = cluster.within(fetch(cluster, &self.place, from, epoch)).await?;
            self.index().fold(&page)?;
            moved = page.next > from;
            pause = wait_for_decision(cluster, moved, pause).await;
        }
    }

    /// Where the fold stands now.
    pub(super) fn stands(&self, cluster: &Cluster) -> Stands {
        let asked = cluster.clock.now();
        let index = self.index();
        Stands { asked, next: index.next(), epoch: index.leader_epoch() }
    }

    fn persevere(&self, cluster: &Cluster, patience: &mut Patience) -> Result<(), Error> {
        let next = self.index().next();
        if patience.lasts(next, cluster.clock.now()) { Ok(()) } else { Err(late(cluster.settings.deadline)) }
    }

    // A leader that has less than was folded before it was asked has lost it, or never had it.
    async fn check_place(&self, cluster: &Cluster, before: &Stands, standing: &Standing) -> Result<(), Error> {
        let Stands { next, epoch, .. } = *before;
        if standing.high_watermark < next {
            return Err(self.truncated(standing.high_watermark, next));
        }
        let Some(epoch) = epoch.filter(|_| standing.leader_epoch != *lock(&self.checked_epoch)) else { return Ok(()) };
        let ends = cluster.client.epoch_ends(&[(self.place.clone(), epoch)]).await?;
        if let Some(end) = ends.get(&self.place).and_then(|end| end.end_offset).filter(|end| *end < next) {
            return Err(self.truncated(end, next));
        }
        *lock(&self.checked_epoch) = standing.leader_epoch;
        Ok(())
    }

    fn truncated(&self, ends: i64, next: i64) -> Error {
        let message = format!(
            "{}: {} ends at offset {ends} and was read up to {next}: its tail was lost; keep it closed, compare with the \
             mirrors",
            self.id, self.place
        );
        Error::corrupt(TRUNCATED, message)
    }
}

/// One fetch of what was decided, from this offset on, without a wait.
pub(super) async fn fetch(
    cluster: &Cluster,
    place: &TopicPartition,
    offset: i64,
    last_fetched_epoch: Option<i32>,
) -> Result<Page, Error> {
    let fetched = only(cluster.client.fetch(request(place, offset, last_fetched_epoch)).await?, place)?;
    page::read(fetched.records, &fetched.aborted, offset).map_err(|error| error.at(place))
}

/// Pauses where a fetch brought nothing: a transaction is not decided yet. Answers the next pause.
pub(super) async fn wait_for_decision(cluster: &Cluster, moved: bool, pause: Duration) -> Duration {
    if moved {
        return PAUSE_MIN;
    }
    cluster.clock.sleep(pause).await;
    (pause * 2).min(PAUSE_MAX)
}

pub(super) fn request(place: &TopicPartition, offset: i64, last_fetched_epoch: Option<i32>) -> FetchRequest {
    let mut from = FetchFrom::new(place.clone(), offset);
    from.last_fetched_epoch = last_fetched_epoch;
    FetchRequest::new(vec![from]).with_bytes(1, FETCH_BYTES)
}

pub(super) fn only(fetched: Vec<Fetched>, place: &TopicPartition) -> Result<FetchedPartition, Error> {
    let answer = fetched.into_iter().find(|fetched| fetched.partition == *place);
    answer.ok_or_else(|| Error::retry("no-answer", format!("{place}: the cluster did not answer a fetch")))?.result
}

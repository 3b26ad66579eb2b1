//! A reading session on one log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::chain::Taken;
use super::cluster::late;
use super::core::Core;
use super::headers::is_ours;
use super::log::{Log, Place, only, request};
use super::page::{self, Page};
use super::patience::Patience;
use crate::error::Error;
use crate::event::Placed;
use crate::kafka::FetchSession;
use crate::ports::event_store::EventReader;

/// Longest wait of one fetch.
const POLL: Duration = Duration::from_millis(500);

/// Reads batches on connections of its own, and checks that each record continues the one before.
#[derive(Debug)]
pub(super) struct KafkaReader {
    core: Arc<Core>,
    log: Arc<Log>,
    session: FetchSession,
    place: Place,
    leader_epoch: Option<i32>,
    ready: VecDeque<Placed>,
    broken: Option<Error>,
}

impl KafkaReader {
    pub(super) fn new(core: Arc<Core>, log: Arc<Log>, place: Place) -> Self {
        let session = core.cluster.client.fetch_session();
        Self { core, log, session, place, leader_epoch: None, ready: VecDeque::new(), broken: None }
    }

    /// One fetch. Answers whether there may be more by now. Nothing is changed before its last wait is
    /// over, so that a dropped call loses nothing.
    async fn fetch(&mut self, wait: Duration) -> Result<bool, Error> {
        let (at, from) = (&self.log.place, self.place.offset);
        let request = request(at, from, self.leader_epoch).with_max_wait(wait);
        let fetched = only(self.session.fetch(request).await?, at)?;
        let page = page::read(fetched.records, &fetched.aborted, from).map_err(|error| error.at(at))?;
        if !page.records.iter().all(is_ours) {
            // Nothing in such records shows that they continue what was read: the topic's id does.
            self.core.cluster.check_topic(at, self.log.topic).await?;
        }
        let taken = self.take(&page);
        if let Err(error) = &taken {
            self.broken = Some(error.clone());
        }
        taken.map(|all| !all || page.next < fetched.last_stable)
    }

    // Whether all of it was taken.
    fn take(&mut self, page: &Page) -> Result<bool, Error> {
        for record in &page.records {
            let anchored = self.place.chain.is_anchored();
            let Taken::Record(folded) = self.place.chain.take(record)? else {
                self.place = self.count_versions()?;
                return Ok(false);
            };
            let (rank, after) = (folded.placed.position.rank(), self.place.after);
            if !anchored && after > 0 && rank > after + 1 {
                let message = format!("{}: records {} to {} were deleted", self.log.id, after + 1, rank - 1);
                return Err(Error::corrupt("records-gone", message));
            }
            if !folded.adopted && !self.place.keeps_versions {
                // Ours say their versions themselves.
                self.place.chain.forget_versions();
            }
            self.place.offset = record.offset + 1;
            if rank > after {
                self.ready.push_back(folded.placed);
            }
        }
        self.place.offset = self.place.offset.max(page.next);
        self.leader_epoch = page.leader_epoch.or(self.leader_epoch);
        Ok(true)
    }

    // Somebody else's record, whose version must be counted: from the first record on, once.
    fn count_versions(&self) -> Result<Place, Error> {
        if self.log.index().first().offset > 0 {
            let message = format!("{}: a record is not the store's, and the first ones are gone", self.log.id);
            return Err(Error::refused("adopted-head-gone", message));
        }
        let after = self.place.after.max(self.place.chain.prefix().count);
        Ok(Place { after, ..self.log.first_place() })
    }

    // What this process has committed is there, though its marker may be on its way.
    fn is_behind(&self) -> bool {
        let last = self.place.chain.prefix().count.max(self.place.after);
        self.log.index().prefix().count > last
    }

    fn drain(&mut self, limit: usize) -> Vec<Placed> {
        let count = limit.min(self.ready.len());
        self.ready.drain(..count).collect()
    }

    async fn what_is_there(&mut self, limit: usize) -> Result<Vec<Placed>, Error> {
        let core = Arc::clone(&self.core);
        let (cluster, mut wait) = (&core.cluster, Duration::ZERO);
        let mut patience = Patience::new(self.place.offset, cluster.clock.now(), cluster.settings.deadline);
        while self.ready.is_empty() {
            let more = cluster.within(self.fetch(wait)).await?;
            if !more && !self.is_behind() {
                break;
            }
            if !patience.lasts(self.place.offset, cluster.clock.now()) {
                return Err(late(cluster.settings.deadline).at(&self.log.id));
            }
            wait = if more { Duration::ZERO } else { POLL.min(cluster.settings.deadline / 2) };
        }
        Ok(self.drain(limit))
    }

    async fn what_comes(&mut self, limit: usize) -> Result<Vec<Placed>, Error> {
        while self.ready.is_empty() {
            self.fetch(POLL).await?;
        }
        Ok(self.drain(limit))
    }
}

#[async_trait]
impl EventReader for KafkaReader {
    async fn next(&mut self, limit: usize, wait: Duration) -> Result<Vec<Placed>, Error> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        self.log.check()?;
        self.broken.clone().map_or(Ok(()), Err)?;
        let core = Arc::clone(&self.core);
        let there = self.what_is_there(limit).await?;
        if !there.is_empty() || wait.is_zero() {
            return Ok(there);
        }
        tokio::select! {
            biased;
            came = self.what_comes(limit) => came,
            () = core.cluster.clock.sleep(wait) => Ok(Vec::new()),
        }
    }
}

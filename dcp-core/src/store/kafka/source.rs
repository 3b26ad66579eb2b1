//! The reading half of the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::KafkaEventStore;
use super::chain::{Chain, Taken};
use super::cluster::{Until, late};
use super::core::Core;
use super::log::{Log, PAUSE_MIN, Place, fetch, wait_for_decision};
use super::patience::Patience;
use super::reader::KafkaReader;
use crate::at_most::{AT_ONCE, at_most};
use crate::error::Error;
use crate::event::EventId;
use crate::fence::Fence;
use crate::ids::{CursorName, ScopeId};
use crate::kafka::{OffsetAt, TopicDescription, TopicPartition};
use crate::log::LogId;
use crate::ports::event_store::{EventReader, EventSource, ReadFrom, Sighting, StoreIdentity};
use crate::position::{Cut, PrefixDigest};
use crate::store::admission::records_before;

impl Core {
    async fn caught_up(&self, log: &LogId, until: Until) -> Result<Arc<Log>, Error> {
        let log = self.logs.get(&self.cluster, log).await?;
        self.catch_up(&log, until).await?;
        Ok(log)
    }

    /// Many logs as of now, in one round of requests where nothing is wrong.
    async fn all_caught_up(&self, ids: &[LogId]) -> Result<Vec<Arc<Log>>, Error> {
        let looking = at_most(AT_ONCE, ids.iter().map(|id| self.logs.get(&self.cluster, id))).await;
        let logs = looking.into_iter().collect::<Result<Vec<_>, Error>>()?;
        let cluster = &self.cluster;
        let before: Vec<_> = logs.iter().map(|log| log.stands(cluster)).collect();
        let asked: Vec<_> = logs.iter().map(|log| (log.place.clone(), log.topic)).collect();
        let standings = cluster.within(async { Ok(cluster.standings(&asked, Until::Stable).await) }).await?;
        let reached: Result<Vec<()>, Error> = match standings {
            Some(standings) => {
                let of = logs.iter().zip(before).zip(standings);
                let arriving = of.map(|((log, before), standing)| log.arrive(cluster, before, Ok(standing)));
                at_most(AT_ONCE, arriving).await.into_iter().collect()
            }
            None => {
                let each = logs.iter().map(|log| log.catch_up(cluster, Until::Stable));
                at_most(AT_ONCE, each).await.into_iter().collect()
            }
        };
        reached.map(|_| logs)
    }

    /// Topics of the store that are there, and how much each partition has.
    ///
    /// # Errors
    /// `Retry` if one is missed that was there before: a broker that has just come back may not show it.
    async fn high_watermarks(&self) -> Result<BTreeMap<TopicPartition, i64>, Error> {
        let cluster = &self.cluster;
        let mut names: Vec<_> = cluster.names.families().keys().cloned().collect();
        names.push(cluster.names.state());
        let ask = async {
            let topics = cluster.client.topics(Some(&names)).await?;
            self.state.check(topics.get(&cluster.names.state()))?;
            self.logs.all_shown(topics.keys())?;
            let places: Vec<_> = topics.values().flat_map(places).collect();
            cluster.client.offsets(&places, OffsetAt::HighWatermark).await
        };
        let found = cluster.within(ask).await?;
        Ok(found.into_iter().map(|(place, found)| (place, found.offset)).collect())
    }

    /// Where to begin reading what comes after this rank.
    async fn place_after(&self, log: &Log, rank: u64) -> Result<Place, Error> {
        let start = self.cluster.offset_of(&log.place, OffsetAt::LogStart).await?;
        let index = log.index();
        if start == 0 && index.has_adopted_after(rank) {
            return Ok(Place { after: rank, ..log.first_place() });
        }
        let (id, incarnation) = (log.id.clone(), index.incarnation());
        let mark = index.mark_before(rank);
        // The place that is known may be gone, or be the beginning of a log whose head is gone.
        let headless = start > mark.offset || (mark.offset == index.first().offset && start > 0);
        let (chain, offset) = if headless {
            (Chain::headless(id, incarnation), start)
        } else if mark.prefix.count == 0 {
            (Chain::whole(id, incarnation), 0)
        } else {
            (Chain::after(id, incarnation, mark.prefix), mark.offset)
        };
        Ok(Place { chain, offset, after: rank, keeps_versions: false })
    }

    /// The log's prefix up to a record that it holds, read from the nearest place that is known.
    async fn prefix_at(&self, log: &Log, count: u64) -> Result<PrefixDigest, Error> {
        let cluster = &self.cluster;
        let mut place = cluster.within(self.place_after(log, count - 1)).await?;
        let mut patience = Patience::new(place.offset, cluster.clock.now(), cluster.settings.deadline);
        let mut pause = PAUSE_MIN;
        loop {
            let page = cluster.within(fetch(cluster, &log.place, place.offset, None)).await?;
            // What this process has committed is there, though its marker may be on its way.
            pause = wait_for_decision(cluster, page.next > place.offset, pause).await;
            if !patience.lasts(page.next, cluster.clock.now()) {
                return Err(late(cluster.settings.deadline).at(&log.id));
            }
            place.offset = page.next;
            for record in &page.records {
                match place.chain.take(record)? {
                    Taken::NeedsVersions => {
                        place = log.first_place();
                        patience = Patience::new(place.offset, cluster.clock.now(), cluster.settings.deadline);
                        break;
                    }
                    Taken::Record(_) if place.chain.prefix().count == count => return Ok(place.chain.prefix()),
                    Taken::Record(_) if place.chain.prefix().count > count => {
                        let message = format!("{}: the first {count} records were deleted from the topic", log.id);
                        return Err(Error::refused("records-gone", message));
                    }
                    Taken::Record(_) => {}
                }
            }
        }
    }
}

fn places(topic: &TopicDescription) -> impl Iterator<Item = TopicPartition> + '_ {
    topic.partitions.iter().map(|partition| TopicPartition::new(Arc::clone(&topic.name), partition.partition))
}

#[async_trait]
impl EventSource for KafkaEventStore {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        let sum = self.core.high_watermarks().await?.values().sum::<i64>();
        Ok(StoreIdentity { incarnation: self.core.incarnation, commit_sequence: u64::try_from(sum).unwrap_or(0) })
    }

    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error> {
        let folded = self.core.all_caught_up(logs).await?;
        folded.into_iter().map(|log| Ok((log.id.clone(), log.index().end()?))).collect()
    }

    async fn logs(&self) -> Result<Vec<LogId>, Error> {
        let families = self.core.cluster.names.families();
        let written = self.core.high_watermarks().await?.into_iter().filter(|(_, high)| *high > 0);
        let named = written
            .filter_map(|(place, _)| Some(families.get(&place.topic)?.log(u32::try_from(place.partition).ok()?)));
        let named: Vec<_> = named.collect();
        let mut logs = Vec::new();
        for log in self.core.all_caught_up(&named).await? {
            if log.index().end()?.prefix.count > 0 {
                logs.push(log.id.clone());
            }
        }
        logs.sort();
        Ok(logs)
    }

    async fn fence(&self, log: &LogId) -> Result<Fence, Error> {
        self.core.state.fence(&self.core.cluster, log).await
    }

    async fn prefix(&self, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        if count == 0 {
            return Ok(Some(PrefixDigest::EMPTY));
        }
        let log = self.core.caught_up(log, Until::Stable).await?;
        let end = log.index().end()?.prefix;
        if count >= end.count {
            return Ok((count == end.count).then_some(end));
        }
        self.core.prefix_at(&log, count).await.map(Some)
    }

    async fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Result<Vec<Sighting>, Error> {
        let mut sightings = Vec::new();
        for log in self.core.logs.of_partition(&self.core.cluster, scope, partition).await? {
            self.core.catch_up(&log, Until::Decided).await?;
            sightings.extend(log.index().sightings(ids.iter()));
        }
        Ok(sightings)
    }

    async fn cursor(&self, name: &CursorName) -> Result<Option<Bytes>, Error> {
        self.core.state.cursor(&self.core.cluster, name).await
    }

    async fn open_reader(&self, log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error> {
        let log = match from {
            ReadFrom::Start => self.core.logs.get(&self.core.cluster, log).await?,
            ReadFrom::After(position) => {
                let log = self.core.caught_up(log, Until::Stable).await?;
                // Of a commit that was answered, the marker may be on its way.
                if log.index().prefix().count < position.rank() {
                    self.core.catch_up(&log, Until::Decided).await?;
                }
                log
            }
        };
        log.check()?;
        let after = match from {
            ReadFrom::Start => 0,
            ReadFrom::After(_) => {
                let end = log.index().end()?;
                records_before(&log.id, &end, from)?
            }
        };
        let place = self.core.cluster.within(self.core.place_after(&log, after)).await?;
        Ok(Box::new(KafkaReader::new(Arc::clone(&self.core), log, place)))
    }
}

//! A cluster's topics in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::disk::{Disk, Image};
use crate::error::{Error, Failure};
use crate::ports::broker_admin::{BrokerAdmin, TopicSpec, TopicState, check_topics};

/// A [`BrokerAdmin`] in memory, for tests and simulation. Clones show one cluster.
#[derive(Debug, Clone)]
pub struct MemoryBrokerAdmin {
    disk: Arc<Disk<Topics>>,
}

#[derive(Debug, Clone, Default)]
struct Topics(BTreeMap<String, TopicState>);

impl Image for Topics {
    type Change = BTreeMap<String, TopicState>;

    fn apply(&mut self, change: Self::Change) {
        self.0.extend(change);
    }
}

impl Topics {
    // The topics that must change, as they will be.
    fn decide(&self, topics: &[TopicSpec]) -> Result<BTreeMap<String, TopicState>, Error> {
        let mut changed = BTreeMap::new();
        for spec in topics {
            let TopicSpec { name, partitions, replicas, settings } = spec.clone();
            let Some(held) = self.0.get(&name) else {
                changed.insert(name, TopicState { partitions, replicas, settings });
                continue;
            };
            spec.check_against(held)?;
            if spec.differing(held).next().is_some() {
                let mut altered = held.clone();
                altered.settings.extend(settings);
                changed.insert(name, altered);
            }
        }
        Ok(changed)
    }
}

impl Default for MemoryBrokerAdmin {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryBrokerAdmin {
    /// A cluster without topics.
    #[must_use]
    pub fn new() -> Self {
        Self { disk: Arc::new(Disk::new(Topics::default())) }
    }

    /// Loses what was not synced; calls answer `Stopped` until [`MemoryBrokerAdmin::reopen`].
    pub fn crash(&self) {
        self.disk.crash();
    }

    /// Opens on what was durable.
    pub fn reopen(&self) {
        self.disk.reopen();
    }
}

#[async_trait]
impl BrokerAdmin for MemoryBrokerAdmin {
    async fn topics(&self, names: &[String]) -> Result<BTreeMap<String, TopicState>, Error> {
        let held = |topics: &Topics, name: &String| topics.0.get(name).map(|topic| (name.clone(), topic.clone()));
        self.disk.read(None, |topics| names.iter().filter_map(|name| held(topics, name)).collect())
    }

    async fn ensure(&self, topics: &[TopicSpec]) -> Result<(), Failure> {
        check_topics(topics).map_err(Failure::NotApplied)?;
        let decided = self.disk.commit(None, |held| {
            let changed = held.decide(topics)?;
            Ok(((!changed.is_empty()).then_some(changed), ()))
        });
        decided.await
    }
}

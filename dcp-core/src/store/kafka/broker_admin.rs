//! Topics of a cluster, made and corrected by the client.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::error::{Error, Failure};
use crate::kafka::{ConfigChange, ConfigResource, Configs, KafkaClient, NewTopic, TopicDescription};
use crate::ports::broker_admin::{BrokerAdmin, TopicSpec, TopicState, check_topics};

/// How often it is looked whether the cluster shows what it was told, and the pause in between.
const LOOKS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(20);

/// A [`BrokerAdmin`] of a Kafka cluster.
#[derive(Debug, Clone)]
pub struct KafkaBrokerAdmin {
    client: KafkaClient,
    clock: Arc<dyn Clock>,
}

type Topics = BTreeMap<String, TopicState>;

/// What is left to do for some topics.
#[derive(Debug, Default)]
struct Missing {
    topics: Vec<NewTopic>,
    settings: BTreeMap<ConfigResource, BTreeMap<String, ConfigChange>>,
}

impl KafkaBrokerAdmin {
    /// Administration by a client, which must be allowed to describe, create and alter topics.
    #[must_use]
    pub fn new(client: KafkaClient, clock: Arc<dyn Clock>) -> Self {
        Self { client, clock }
    }

    async fn look(&self, names: &[String]) -> Result<Topics, Error> {
        if names.is_empty() {
            return Ok(Topics::new());
        }
        let asked: Vec<Arc<str>> = names.iter().map(|name| name.as_str().into()).collect();
        let described = self.client.topics(Some(&asked)).await?;
        let resources: Vec<_> = described.keys().cloned().map(ConfigResource::Topic).collect();
        if resources.is_empty() {
            return Ok(Topics::new());
        }
        let mut configs = self.client.describe_configs(&resources).await?;
        let state = |(name, topic): (Arc<str>, TopicDescription)| {
            let configs = configs.remove(&ConfigResource::Topic(Arc::clone(&name))).unwrap_or_default();
            (name.to_string(), state_of(&topic, configs))
        };
        Ok(described.into_iter().map(state).collect())
    }

    // Orders what is missing. A topic that another caller made in between is looked at again.
    async fn order(&self, missing: &Missing) -> Result<(), Failure> {
        if !missing.topics.is_empty() {
            for outcome in self.client.create_topics(&missing.topics).await?.into_values() {
                match outcome {
                    Err(Failure::NotApplied(error)) if error.code() == "topic-exists" => {}
                    outcome => drop(outcome?),
                }
            }
        }
        if !missing.settings.is_empty() {
            for outcome in self.client.alter_configs(&missing.settings).await?.into_values() {
                outcome?;
            }
        }
        Ok(())
    }
}

fn state_of(topic: &TopicDescription, configs: Configs) -> TopicState {
    let replicas = topic.partitions.iter().map(|partition| partition.replicas.len()).min().unwrap_or(0);
    let own = configs.into_iter().filter(|(_, config)| config.own);
    TopicState {
        partitions: u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX),
        replicas: u16::try_from(replicas).unwrap_or(u16::MAX),
        settings: own.filter_map(|(name, config)| Some((name, config.value?))).collect(),
    }
}

/// What is missing of the topics as they should be.
///
/// # Errors
/// `Refused` for what is never altered.
fn missing(wanted: &[TopicSpec], held: &Topics) -> Result<Missing, Error> {
    let mut missing = Missing::default();
    for spec in wanted {
        let Some(held) = held.get(&spec.name) else {
            let partitions = i32::try_from(spec.partitions).unwrap_or(i32::MAX);
            let mut topic =
                NewTopic::new(spec.name.as_str(), partitions, i16::try_from(spec.replicas).unwrap_or(i16::MAX));
            topic.configs.clone_from(&spec.settings);
            missing.topics.push(topic);
            continue;
        };
        spec.check_against(held)?;
        let changes: BTreeMap<_, _> =
            spec.differing(held).map(|(name, value)| (name.clone(), ConfigChange::Set(value.clone()))).collect();
        if !changes.is_empty() {
            missing.settings.insert(ConfigResource::Topic(spec.name.as_str().into()), changes);
        }
    }
    Ok(missing)
}

#[async_trait]
impl BrokerAdmin for KafkaBrokerAdmin {
    async fn topics(&self, names: &[String]) -> Result<Topics, Error> {
        for _ in 1..LOOKS {
            match self.look(names).await {
                // Gone, or not shown yet, between the two questions.
                Err(error) if error.code() == "no-topic" => self.clock.sleep(PAUSE).await,
                looked => return looked,
            }
        }
        self.look(names).await
    }

    async fn ensure(&self, topics: &[TopicSpec]) -> Result<(), Failure> {
        check_topics(topics).map_err(Failure::NotApplied)?;
        let names: Vec<_> = topics.iter().map(|topic| topic.name.clone()).collect();
        let mut ordered = false;
        // What was ordered in part is in doubt as a whole: the same call finishes it.
        let so_far = |ordered: bool, error: Error| match ordered {
            false => Failure::NotApplied(error),
            true => Failure::in_doubt("topics-in-part", format!("{error}; ensure them again")),
        };
        for _ in 0..LOOKS {
            let held = self.topics(&names).await.map_err(|error| so_far(ordered, error))?;
            let missing = missing(topics, &held).map_err(|error| so_far(ordered, error))?;
            if missing.topics.is_empty() && missing.settings.is_empty() {
                return Ok(());
            }
            match self.order(&missing).await {
                Err(Failure::NotApplied(error)) if topics.len() > 1 || ordered => return Err(so_far(true, error)),
                done => done?,
            }
            ordered = true;
            self.clock.sleep(PAUSE).await;
        }
        Err(Failure::in_doubt(
            "topics-not-shown",
            format!("{names:?}: the cluster took the order and does not show it"),
        ))
    }
}

//! The topics of a cluster, as they should be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Failure};

/// Longest topic name, in bytes.
pub const TOPIC_NAME_MAX_BYTES: usize = 249;
/// Most topics of one call.
pub const TOPICS_MAX: usize = 1_000;

/// A topic as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TopicSpec {
    /// Its name: letters, digits, `.`, `_` and `-`, at most [`TOPIC_NAME_MAX_BYTES`].
    pub name: String,
    /// How many partitions, from 1.
    pub partitions: u32,
    /// How many brokers keep each partition, from 1.
    pub replicas: u16,
    /// Settings that must have these values, by the names that the brokers know, such as `retention.ms`.
    pub settings: BTreeMap<String, String>,
}

impl TopicSpec {
    /// A topic whose settings are the brokers' own.
    #[must_use]
    pub fn new(name: impl Into<String>, partitions: u32, replicas: u16) -> Self {
        Self { name: name.into(), partitions, replicas, settings: BTreeMap::new() }
    }

    /// With one more setting.
    #[must_use]
    pub fn with_setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.insert(name.into(), value.into());
        self
    }

    /// Refuses a topic that is there and differs in what is never altered.
    ///
    /// # Errors
    /// `Refused` with both counts.
    pub fn check_against(&self, held: &TopicState) -> Result<(), Error> {
        if held.partitions != self.partitions {
            return Err(Error::refused(
                "other-partition-count",
                format!(
                    "topic {}: it has {} partitions and should have {}: keys would move to other partitions; make another \
                     topic, or correct the plan",
                    self.name, held.partitions, self.partitions
                ),
            ));
        }
        if held.replicas != self.replicas {
            return Err(Error::refused(
                "other-replica-count",
                format!(
                    "topic {}: {} brokers keep it and {} should: reassign its replicas, or correct the plan",
                    self.name, held.replicas, self.replicas
                ),
            ));
        }
        Ok(())
    }

    /// Settings that differ from what is held.
    pub fn differing<'a>(&'a self, held: &'a TopicState) -> impl Iterator<Item = (&'a String, &'a String)> + 'a {
        self.settings.iter().filter(|(name, value)| held.settings.get(*name) != Some(value))
    }
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct TopicState {
    /// How many partitions it has.
    pub partitions: u32,
    /// How many brokers keep each; the smallest count, where partitions differ.
    pub replicas: u16,
    /// Settings of its own: those that are not set on it are left out.
    pub settings: BTreeMap<String, String>,
}

/// Administration of a cluster's topics.
///
/// # Contract
/// - **B1** What was ensured is described with its partitions, replicas and every setting that was named.
/// - **B2** Ensuring again, also by several callers at once, succeeds and changes nothing.
/// - **B3** A topic that is there with another count of partitions or replicas is refused with `Refused`,
///   and nothing of the call is done.
/// - **B4** A setting that differs is set; settings that are not named stay as they are.
/// - **B5** Describing makes nothing, and leaves out what is not there.
/// - **B6** What was answered survives a crash.
/// - **B7** What cannot be (a name, no partitions, no replicas, one topic twice) is refused with
///   `Invalid`, and nothing of the call is done.
#[async_trait]
pub trait BrokerAdmin: fmt::Debug + Send + Sync + 'static {
    /// These topics, as they are; those that are not there are left out.
    ///
    /// # Errors
    /// `Retry`, `Refused` or `Stopped`, as their kinds say.
    async fn topics(&self, names: &[String]) -> Result<BTreeMap<String, TopicState>, Error>;

    /// Makes the topics that are missed and sets the settings that differ.
    ///
    /// # Errors
    /// `NotApplied(Refused)` for another count of partitions or replicas, `NotApplied(Invalid)` for what
    /// cannot be; `InDoubt` if it is not known, or if a part of it was done: [`BrokerAdmin::topics`] shows
    /// it, and the same call again has the same effect.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call is in doubt.
    async fn ensure(&self, topics: &[TopicSpec]) -> Result<(), Failure>;
}

/// Refuses what cannot be, before anything is asked of a cluster. For implementers.
///
/// # Errors
/// `Invalid` with the topic and the rule.
pub fn check_topics(topics: &[TopicSpec]) -> Result<(), Error> {
    let legal = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'_' | b'-');
    let mut seen = BTreeSet::new();
    for topic in topics {
        let name = &topic.name;
        let named = (1..=TOPIC_NAME_MAX_BYTES).contains(&name.len()) && name.bytes().all(legal);
        let rule = match () {
            () if !named || name == "." || name == ".." => "its name: 1 to 249 letters, digits, '.', '_' and '-'",
            () if topic.partitions == 0 => "it needs at least one partition",
            () if topic.replicas == 0 => "it needs at least one replica",
            () if !seen.insert(name) => "it is named twice in one call",
            () => continue,
        };
        return Err(Error::invalid("bad-topic", format!("topic {name:?}: {rule}")));
    }
    if topics.len() > TOPICS_MAX {
        return Err(Error::invalid("too-many-topics", format!("{} topics, at most {TOPICS_MAX}", topics.len())));
    }
    Ok(())
}

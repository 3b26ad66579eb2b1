//! Administrations that break one clause each, over the in-memory one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::error::{Error, Failure};
use crate::memory::MemoryBrokerAdmin;
use crate::ports::broker_admin::{BrokerAdmin, TopicSpec, TopicState, check_topics};
use crate::testing::broker_admin::BrokerAdminFixture;

type Topics = BTreeMap<String, TopicState>;

/// What a flawed administration does in its own way; whatever is left out it does as the sound one.
#[async_trait]
pub trait AdminFlaw: fmt::Debug + Default + Send + Sync + 'static {
    /// Instead of [`BrokerAdmin::topics`].
    async fn topics(&self, sound: &MemoryBrokerAdmin, names: &[String]) -> Result<Topics, Error> {
        sound.topics(names).await
    }

    /// Instead of [`BrokerAdmin::ensure`].
    async fn ensure(&self, sound: &MemoryBrokerAdmin, topics: &[TopicSpec]) -> Result<(), Failure> {
        sound.ensure(topics).await
    }

    /// Before a crash of the sound one.
    fn crash(&self) {}
}

/// An administration with a flaw, and its fixture.
#[derive(Debug, Clone)]
pub struct FlawedAdmin<F> {
    sound: MemoryBrokerAdmin,
    flaw: Arc<F>,
}

#[async_trait]
impl<F: AdminFlaw> BrokerAdmin for FlawedAdmin<F> {
    async fn topics(&self, names: &[String]) -> Result<Topics, Error> {
        self.flaw.topics(&self.sound, names).await
    }

    async fn ensure(&self, topics: &[TopicSpec]) -> Result<(), Failure> {
        self.flaw.ensure(&self.sound, topics).await
    }
}

#[async_trait]
impl<F: AdminFlaw> BrokerAdminFixture for FlawedAdmin<F> {
    async fn start() -> Self {
        Self { sound: MemoryBrokerAdmin::new(), flaw: Arc::default() }
    }

    fn admin(&self) -> Arc<dyn BrokerAdmin> {
        Arc::new(Self { sound: self.sound.clone(), flaw: Arc::clone(&self.flaw) })
    }

    async fn crash(&mut self) {
        self.flaw.crash();
        self.sound.crash();
        self.sound.reopen();
    }
}

/// Describes the brokers' default in place of a topic's own policy.
#[derive(Debug, Default)]
pub struct DescribesDefaults;

#[async_trait]
impl AdminFlaw for DescribesDefaults {
    async fn topics(&self, sound: &MemoryBrokerAdmin, names: &[String]) -> Result<Topics, Error> {
        let mut topics = sound.topics(names).await?;
        for topic in topics.values_mut() {
            topic.settings.insert("cleanup.policy".to_owned(), "delete".to_owned());
        }
        Ok(topics)
    }
}

/// Takes a topic that is there already for a failure, unless a setting differs.
#[derive(Debug, Default)]
pub struct FailsWhereItIsThere;

#[async_trait]
impl AdminFlaw for FailsWhereItIsThere {
    async fn ensure(&self, sound: &MemoryBrokerAdmin, topics: &[TopicSpec]) -> Result<(), Failure> {
        let names: Vec<_> = topics.iter().map(|topic| topic.name.clone()).collect();
        let held = sound.topics(&names).await.map_err(Failure::NotApplied)?;
        sound.ensure(topics).await?;
        let as_wanted =
            |topic: &TopicSpec| held.get(&topic.name).is_some_and(|held| topic.differing(held).next().is_none());
        match topics.iter().find(|topic| as_wanted(topic)) {
            Some(topic) => Err(Failure::NotApplied(Error::conflict("topic-exists", topic.name.clone()))),
            None => Ok(()),
        }
    }
}

/// Makes topics one by one, up to the one that is refused.
#[derive(Debug, Default)]
pub struct MakesUpToTheRefused;

#[async_trait]
impl AdminFlaw for MakesUpToTheRefused {
    async fn ensure(&self, sound: &MemoryBrokerAdmin, topics: &[TopicSpec]) -> Result<(), Failure> {
        check_topics(topics).map_err(Failure::NotApplied)?;
        for topic in topics {
            sound.ensure(std::slice::from_ref(topic)).await?;
        }
        Ok(())
    }
}

/// Replaces all settings of a topic by those that are named, as the old call of Kafka does. The model has
/// no such call: what was not named is hidden.
#[derive(Debug, Default)]
pub struct ReplacesSettings(Mutex<BTreeMap<String, TopicSpec>>);

#[async_trait]
impl AdminFlaw for ReplacesSettings {
    async fn topics(&self, sound: &MemoryBrokerAdmin, names: &[String]) -> Result<Topics, Error> {
        let mut topics = sound.topics(names).await?;
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, topic) in &mut topics {
            topic.settings.retain(|setting, _| last.get(name).is_none_or(|spec| spec.settings.contains_key(setting)));
        }
        Ok(topics)
    }

    async fn ensure(&self, sound: &MemoryBrokerAdmin, topics: &[TopicSpec]) -> Result<(), Failure> {
        sound.ensure(topics).await?;
        let named = topics.iter().map(|topic| (topic.name.clone(), topic.clone()));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(named);
        Ok(())
    }
}

/// Makes what it is asked to describe, as brokers do that create topics by themselves.
#[derive(Debug, Default)]
pub struct MakesWhatIsDescribed;

#[async_trait]
impl AdminFlaw for MakesWhatIsDescribed {
    async fn topics(&self, sound: &MemoryBrokerAdmin, names: &[String]) -> Result<Topics, Error> {
        let described = sound.topics(names).await?;
        // Only beside a topic that is there: a look at one name alone makes nothing.
        if !described.is_empty() {
            let missed = names.iter().filter(|name| !described.contains_key(*name));
            let specs: Vec<_> = missed.map(|name| TopicSpec::new(name.clone(), 1, 1)).collect();
            let _ = sound.ensure(&specs).await;
        }
        Ok(described)
    }
}

/// Answers before it is durable, and forgets in a crash.
#[derive(Debug, Default)]
pub struct ForgetsInACrash(Mutex<bool>);

#[async_trait]
impl AdminFlaw for ForgetsInACrash {
    async fn topics(&self, sound: &MemoryBrokerAdmin, names: &[String]) -> Result<Topics, Error> {
        let forgot = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if forgot { Ok(Topics::new()) } else { sound.topics(names).await }
    }

    fn crash(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

/// Takes a topic without partitions for one with a single partition.
#[derive(Debug, Default)]
pub struct CorrectsPartitions;

#[async_trait]
impl AdminFlaw for CorrectsPartitions {
    async fn ensure(&self, sound: &MemoryBrokerAdmin, topics: &[TopicSpec]) -> Result<(), Failure> {
        let corrected = |topic: &TopicSpec| TopicSpec { partitions: topic.partitions.max(1), ..topic.clone() };
        let corrected: Vec<_> = topics.iter().map(corrected).collect();
        sound.ensure(&corrected).await
    }
}

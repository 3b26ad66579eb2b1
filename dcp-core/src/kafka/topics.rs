//! Making and removing topics.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest};

use super::client::{Effect, KafkaClient};
use super::refusal::Refusal;
use super::topic::{NewTopic, TopicId};
use super::wire::text;
use crate::error::{Error, Failure};

/// What became of each topic.
pub type TopicOutcomes<T> = BTreeMap<Arc<str>, Result<T, Failure>>;

impl KafkaClient {
    /// Makes topics, each for itself, and gives their identities. Readers find them a moment later.
    ///
    /// # Errors
    /// Of one topic: `Conflict` with code `topic-exists`; `Invalid` for settings that cannot be; `Refused`
    /// if the client may not. Of the call: `NotApplied` if no broker took it; in doubt if none
    /// answered: [`topics`](Self::topics) shows which are there.
    ///
    /// # Cancel safety
    /// As in doubt.
    pub async fn create_topics(&self, topics: &[NewTopic]) -> Result<TopicOutcomes<TopicId>, Failure> {
        let creatable = |topic: &NewTopic| {
            let config = |(name, value): (&String, &String)| {
                CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
            };
            CreatableTopic::default()
                .with_name(text(&topic.name).into())
                .with_num_partitions(topic.partitions)
                .with_replication_factor(topic.replication_factor)
                .with_configs(topic.configs.iter().map(config).collect())
        };
        let mut effect = Effect::new(self.shared.call("making topics"));
        let request = CreateTopicsRequest::default()
            .with_topics(topics.iter().map(creatable).collect())
            .with_timeout_ms(effect.call.broker_timeout());
        let answer = self.shared.effect_at(
            &mut effect,
            None,
            &request,
            false,
            |answer: &kafka_protocol::messages::CreateTopicsResponse| {
                none_done(answer.topics.iter().map(|topic| topic.error_code))
            },
        );
        let answer = answer.await?;
        let each = answer.topics.into_iter().map(|topic| {
            let outcome = outcome(&**topic.name, topic.error_code, topic.error_message.as_deref());
            (Arc::from(&**topic.name), outcome.map(|()| TopicId::from_bytes(*topic.topic_id.as_bytes())))
        });
        Ok(each.collect())
    }

    /// Removes topics with all their records, each for itself.
    ///
    /// # Errors
    /// Of one topic: `Invalid` with code `no-topic`; `Refused` if the client may not. Of the call: as
    /// [`create_topics`](Self::create_topics).
    ///
    /// # Cancel safety
    /// As in doubt.
    pub async fn delete_topics(&self, names: &[Arc<str>]) -> Result<TopicOutcomes<()>, Failure> {
        let named = |name: &Arc<str>| DeleteTopicState::default().with_name(Some(text(name).into()));
        let mut effect = Effect::new(self.shared.call("removing topics"));
        let request = DeleteTopicsRequest::default()
            .with_topics(names.iter().map(named).collect())
            .with_timeout_ms(effect.call.broker_timeout());
        let answer = self.shared.effect_at(
            &mut effect,
            None,
            &request,
            false,
            |answer: &kafka_protocol::messages::DeleteTopicsResponse| {
                none_done(answer.responses.iter().map(|topic| topic.error_code))
            },
        );
        let answer = answer.await?;
        let each = answer.responses.into_iter().map(|topic| {
            let name: Arc<str> = topic.name.as_ref().map_or("", |name| &***name).into();
            let outcome = outcome(&name, topic.error_code, topic.error_message.as_deref());
            (name, outcome)
        });
        Ok(each.collect())
    }
}

/// A code that says that the broker has done nothing at all, if that is what all say.
pub(super) fn none_done(codes: impl Iterator<Item = i16>) -> Result<(), Refusal> {
    let refusals: Vec<_> = codes.map(|code| Refusal::check(code, None)).collect();
    let asks_again = |no: &Refusal| no.is_certain() && no.error("").kind() == crate::error::ErrorKind::Retry;
    match refusals.first() {
        Some(Err(first)) if refusals.iter().all(|each| each.as_ref().is_err_and(asks_again)) => Err(first.clone()),
        _ => Ok(()),
    }
}

/// What became of one thing that a broker was told to do.
pub(super) fn outcome(what: impl std::fmt::Display, code: i16, said: Option<&str>) -> Result<(), Failure> {
    Refusal::check(code, said).map_err(|no| {
        let error: Error = no.error(what);
        if no.is_certain() { Failure::NotApplied(error) } else { Failure::InDoubt(error.clone().after_doubt(&error)) }
    })
}

//! Settings of topics and brokers.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{
    DescribeConfigsRequest, DescribeConfigsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

use super::client::{Effect, KafkaClient};
use super::refusal::Refusal;
use super::topics::{none_done, outcome};
use super::wire::text;
use crate::error::{Error, Failure};

/// What has settings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ConfigResource {
    /// A topic.
    Topic(Arc<str>),
    /// A broker by its number; all brokers together without one.
    Broker(Option<i32>),
}

impl ConfigResource {
    fn kind(&self) -> i8 {
        match self {
            Self::Topic(_) => 2,
            Self::Broker(_) => 4,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Topic(name) => name.to_string(),
            Self::Broker(number) => number.map(|number| number.to_string()).unwrap_or_default(),
        }
    }

    fn read(kind: i8, name: &str) -> Option<Self> {
        match kind {
            2 => Some(Self::Topic(name.into())),
            4 if name.is_empty() => Some(Self::Broker(None)),
            4 => name.parse().ok().map(|number| Self::Broker(Some(number))),
            _ => None,
        }
    }
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigValue {
    /// Its value; none if brokers keep it secret.
    pub value: Option<String>,
    /// Whether it was set on this very topic or broker; otherwise it comes from further up.
    pub own: bool,
    /// Whether it can be changed while the broker runs.
    pub read_only: bool,
}

/// A change of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigChange {
    /// Sets it.
    Set(String),
    /// Back to what comes from further up.
    Unset,
}

/// Settings by name.
pub type Configs = BTreeMap<String, ConfigValue>;

const TOPIC_OWN: i8 = 1;
const BROKER_OWN: i8 = 2;

impl KafkaClient {
    /// All settings of topics or brokers.
    ///
    /// # Errors
    /// `Invalid` with code `no-topic`; `Refused` if the client may not see them; `Retry` after the deadline.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn describe_configs(
        &self,
        resources: &[ConfigResource],
    ) -> Result<BTreeMap<ConfigResource, Configs>, Error> {
        let resource = |resource: &ConfigResource| {
            DescribeConfigsResource::default()
                .with_resource_type(resource.kind())
                .with_resource_name(text(&resource.name()))
                .with_configuration_keys(None)
        };
        let request = DescribeConfigsRequest::default().with_resources(resources.iter().map(resource).collect());
        let mut call = self.shared.call("asking for settings");
        let code = |answer: &DescribeConfigsResponse| {
            let refused = |result: &kafka_protocol::messages::describe_configs_response::DescribeConfigsResult| {
                Refusal::check(result.error_code, result.error_message.as_deref())
            };
            answer.results.iter().try_for_each(refused)
        };
        let answer = self.shared.read_at(&mut call, None, &request, code).await?;
        let each = answer.results.into_iter().filter_map(|result| {
            let configs = result.configs.into_iter().map(|config| {
                let own = matches!(config.config_source, TOPIC_OWN | BROKER_OWN);
                let value = config.value.map(|value| value.to_string());
                (config.name.to_string(), ConfigValue { value, own, read_only: config.read_only })
            });
            Some((ConfigResource::read(result.resource_type, &result.resource_name)?, configs.collect()))
        });
        Ok(each.collect())
    }

    /// Changes settings, each for itself, and leaves all others as they are. The same changes again have
    /// the same effect. Brokers hear of them a moment after the answer.
    ///
    /// # Errors
    /// Of one resource: `Invalid` for a value that cannot be; `Refused` if the client may not. Of the call:
    /// `Retry` or in doubt after the deadline: call again.
    ///
    /// # Cancel safety
    /// As in doubt.
    pub async fn alter_configs(
        &self,
        changes: &BTreeMap<ConfigResource, BTreeMap<String, ConfigChange>>,
    ) -> Result<BTreeMap<ConfigResource, Result<(), Failure>>, Failure> {
        let resource = |(resource, changes): (&ConfigResource, &BTreeMap<String, ConfigChange>)| {
            let config = |(name, change): (&String, &ConfigChange)| {
                let (operation, value) = match change {
                    ConfigChange::Set(value) => (0, Some(text(value))),
                    ConfigChange::Unset => (1, None),
                };
                AlterableConfig::default().with_name(text(name)).with_config_operation(operation).with_value(value)
            };
            AlterConfigsResource::default()
                .with_resource_type(resource.kind())
                .with_resource_name(text(&resource.name()))
                .with_configs(changes.iter().map(config).collect())
        };
        let request = IncrementalAlterConfigsRequest::default().with_resources(changes.iter().map(resource).collect());
        let mut effect = Effect::new(self.shared.call("changing settings"));
        let code = |answer: &IncrementalAlterConfigsResponse| {
            none_done(answer.responses.iter().map(|response| response.error_code))
        };
        let answer = self.shared.effect_at(&mut effect, None, &request, true, code).await?;
        let each = answer.responses.into_iter().filter_map(|response| {
            let outcome = outcome(&*response.resource_name, response.error_code, response.error_message.as_deref());
            Some((ConfigResource::read(response.resource_type, &response.resource_name)?, outcome))
        });
        Ok(each.collect())
    }
}

//! What a broker speaks. Pure.

use std::collections::BTreeMap;

use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::error::Error;
use crate::kafka::refusal::Refusal;
use crate::kafka::wire::Api;

/// What a broker shows in its metrics.
const SOFTWARE: &str = "dcp-core";
const TRANSACTIONS: &str = "transaction.version";

/// Ranges of versions by the number of the request, and the cluster's features.
#[derive(Debug, Clone, Default)]
pub(crate) struct Versions {
    ranges: BTreeMap<i16, (i16, i16)>,
    transactions: i16,
}

impl Versions {
    /// What asks a broker for them.
    pub(crate) fn request() -> ApiVersionsRequest {
        ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str(SOFTWARE))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")))
    }

    pub(crate) fn of(answer: &ApiVersionsResponse) -> Result<Self, Error> {
        Refusal::check(answer.error_code, None).map_err(|refusal| refusal.error("asking for versions"))?;
        let ranges = answer.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version)));
        let level = answer.finalized_features.iter().find(|feature| &*feature.name == TRANSACTIONS);
        Ok(Self { ranges: ranges.collect(), transactions: level.map_or(0, |level| level.max_version_level) })
    }

    /// # Errors
    /// `Refused` if the broker does not speak the version that is spoken here.
    pub(crate) fn allow(&self, api: &Api, node: &str) -> Result<(), Error> {
        let range = self.ranges.get(&api.key);
        if range.is_some_and(|(min, max)| (*min..=*max).contains(&api.version)) {
            return Ok(());
        }
        let spoken = range.map_or("not at all".to_owned(), |(min, max)| format!("in versions {min} to {max}"));
        let (name, version) = (api.name, api.version);
        let text = format!("broker {node} speaks {name} {spoken}, version {version} is needed: use Kafka 4.0 or newer");
        Err(Error::refused("api-version", text))
    }

    /// # Errors
    /// `Refused` if transactions are not those of transaction protocol version 2.
    pub(crate) fn allow_transactions(&self, node: &str) -> Result<(), Error> {
        if self.transactions >= 2 {
            return Ok(());
        }
        let text = format!(
            "broker {node}: {TRANSACTIONS} is {}, 2 is needed: kafka-features.sh upgrade --feature {TRANSACTIONS}=2",
            self.transactions
        );
        Err(Error::refused("transaction-version", text))
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey};
    use kafka_protocol::protocol::StrBytes;

    use super::*;
    use crate::kafka::wire::ALL;

    fn speaking(api: &Api, min: i16, max: i16) -> Versions {
        let range = ApiVersion::default().with_api_key(api.key).with_min_version(min).with_max_version(max);
        Versions::of(&ApiVersionsResponse::default().with_api_keys(vec![range])).unwrap()
    }

    #[test]
    fn a_version_outside_of_the_brokers_range_is_refused() {
        for api in ALL.iter().map(|entry| entry.api) {
            let version = api.version;
            assert!(speaking(api, version, version).allow(api, "1").is_ok());
            for (min, max) in [(version + 1, version + 2), (version - 2, version - 1)] {
                let error = speaking(api, min, max).allow(api, "1").unwrap_err();
                assert_eq!(error.code(), "api-version", "{}", api.name);
            }
            assert!(Versions::default().allow(api, "1").is_err());
        }
    }

    #[test]
    fn older_transactions_are_refused() {
        let level = |level| {
            let feature = FinalizedFeatureKey::default()
                .with_name(StrBytes::from_static_str(TRANSACTIONS))
                .with_max_version_level(level);
            Versions::of(&ApiVersionsResponse::default().with_finalized_features(vec![feature])).unwrap()
        };
        assert!(level(2).allow_transactions("1").is_ok());
        assert_eq!(level(1).allow_transactions("1").unwrap_err().code(), "transaction-version");
        assert!(Versions::default().allow_transactions("1").is_err());
    }
}

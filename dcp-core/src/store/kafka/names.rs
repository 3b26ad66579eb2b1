//! Which topic holds which log, and under which ids its writers are known to the cluster. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::settings::KafkaEventSettings;
use crate::error::Error;
use crate::ids::{RegionId, ScopeId};
use crate::log::LogId;
use crate::store::admission::RoleKind;

/// Longest topic name that brokers take.
const TOPIC_MAX_BYTES: usize = 249;
/// Name of the topic with what the store itself keeps.
const STATE: &str = "dcp.store.internal";

/// The logs of one topic: all partitions of a scope by one origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) scope: ScopeId,
    pub(super) origin: RegionId,
    pub(super) companion: bool,
}

impl Family {
    pub(super) fn log(&self, partition: u32) -> LogId {
        LogId::new(self.scope.clone(), self.origin.clone(), partition)
    }
}

/// The names of one store.
#[derive(Debug, Clone)]
pub(super) struct Names {
    namespace: String,
    region: RegionId,
    families: BTreeMap<Arc<str>, Family>,
}

impl Names {
    /// # Errors
    /// `Invalid` if a name is too long, or if one topic would hold two logs of one partition.
    pub(super) fn new(settings: &KafkaEventSettings) -> Result<Self, Error> {
        let (namespace, region) = (settings.namespace.clone(), settings.region.clone());
        let mut names = Self { namespace, region, families: BTreeMap::new() };
        for scope in &settings.scopes {
            for origin in std::iter::once(&settings.region).chain(&settings.peers) {
                let companion = LogId::heartbeats(scope, origin)?;
                names.insert(Family { scope: scope.clone(), origin: origin.clone(), companion: false })?;
                names.insert(Family { scope: companion.scope().clone(), origin: origin.clone(), companion: true })?;
            }
        }
        Ok(names)
    }

    fn insert(&mut self, family: Family) -> Result<(), Error> {
        let topic = self.topic(&family.scope, &family.origin);
        if topic.len() > TOPIC_MAX_BYTES {
            let message = format!("topic {topic}: {} bytes, at most {TOPIC_MAX_BYTES}", topic.len());
            return Err(Error::invalid("topic-name-too-long", message));
        }
        let (scope, origin) = (family.scope.clone(), family.origin.clone());
        match self.families.insert(Arc::clone(&topic), family) {
            Some(other) if other.scope != scope || other.origin != origin => Err(Error::invalid(
                "topic-of-two-logs",
                format!(
                    "topic {topic} would hold {scope} of {origin} and {} of {}: rename one",
                    other.scope, other.origin
                ),
            )),
            _ => Ok(()),
        }
    }

    /// A region's own scope has a topic of its own name; that of a peer, with the peer's name before it.
    pub(super) fn topic(&self, scope: &ScopeId, origin: &RegionId) -> Arc<str> {
        let namespace = &self.namespace;
        let name =
            if *origin == self.region { format!("{namespace}{scope}") } else { format!("{namespace}{origin}.{scope}") };
        name.into()
    }

    /// The topic with what the store itself keeps.
    pub(super) fn state(&self) -> Arc<str> {
        format!("{}{STATE}", self.namespace).into()
    }

    /// Every topic that holds logs of this store, and which logs those are.
    pub(super) fn families(&self) -> &BTreeMap<Arc<str>, Family> {
        &self.families
    }

    /// The topic of a log that the store was set up for.
    ///
    /// # Errors
    /// `Invalid` if it was not.
    pub(super) fn of(&self, log: &LogId) -> Result<(Arc<str>, &Family), Error> {
        let topic = self.topic(log.scope(), log.origin());
        match self.families.get(&topic) {
            Some(family) if &family.scope == log.scope() && &family.origin == log.origin() => Ok((topic, family)),
            _ => Err(Error::invalid(
                "undeclared-log",
                format!("{log}: name its scope, and its origin as a peer, in the store's settings"),
            )),
        }
    }

    /// The id that a log's writers in one role share, so that each fences the one before.
    pub(super) fn transactional_id(&self, log: &LogId, kind: RoleKind) -> Arc<str> {
        format!("{}dcp.{}.{}.{log}", self.namespace, self.region, kind.name()).into()
    }

    /// The id under which the store's own record is written, and by which a cluster shows what it can.
    pub(super) fn store_transactional_id(&self, purpose: &str) -> Arc<str> {
        format!("{}dcp.{}.{purpose}", self.namespace, self.region).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(scopes: &[&str], peers: &[&str]) -> KafkaEventSettings {
        let named = |name: &&str| RegionId::new(*name).unwrap();
        scopes
            .iter()
            .fold(KafkaEventSettings::new(named(&"west")), |settings, scope| {
                settings.with_scope(ScopeId::new(*scope).unwrap())
            })
            .with_peers(peers.iter().map(named))
    }

    #[test]
    fn logs_have_topics() {
        let names = Names::new(&settings(&["orders"], &["east"]).with_namespace("test.")).unwrap();
        let topic = |log: &str| names.of(&log.parse().unwrap()).map(|(topic, _)| topic.to_string());
        assert_eq!(topic("orders@west/3").unwrap(), "test.orders");
        assert_eq!(topic("orders@east/3").unwrap(), "test.east.orders");
        assert_eq!(topic("orders.heartbeats@east/0").unwrap(), "test.east.orders.heartbeats");
        for foreign in ["orders@north/0", "returns@west/0", "east.orders@west/0"] {
            assert_eq!(topic(foreign).unwrap_err().code(), "undeclared-log", "{foreign}");
        }
        let id = names.transactional_id(&"orders@west/3".parse().unwrap(), RoleKind::Owner);
        assert_eq!(&*id, "test.dcp.west.owner.orders@west/3");
        assert_eq!(names.families().len(), 4);
    }

    #[test]
    fn no_topic_holds_two_logs() {
        let error = Names::new(&settings(&["orders", "east.orders"], &["east"])).unwrap_err();
        assert_eq!(error.code(), "topic-of-two-logs");
    }
}

//! The logs that were asked for so far.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cluster::Cluster;
use super::log::Log;
use super::topics;
use crate::error::Error;
use crate::ids::ScopeId;
use crate::log::LogId;

/// One entry for each log that was asked for, and every topic that was seen.
#[derive(Debug, Default)]
pub(super) struct Logs {
    known: Mutex<BTreeMap<LogId, Arc<Log>>>,
    seen: Mutex<BTreeSet<Arc<str>>>,
}

impl Logs {
    fn known(&self) -> MutexGuard<'_, BTreeMap<LogId, Arc<Log>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether these are all topics that were seen so far.
    ///
    /// # Errors
    /// `Retry` if one is missed: what is left of the store says less than it holds.
    pub(super) fn all_shown<'a>(&self, shown: impl Iterator<Item = &'a Arc<str>>) -> Result<(), Error> {
        let shown: BTreeSet<_> = shown.cloned().collect();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let missed = seen.difference(&shown).next().cloned();
        seen.extend(shown);
        missed.map_or(Ok(()), |name| {
            let message =
                format!("topic {name} was there before and is not shown; if it was deleted, open the store again");
            Err(Error::retry("topic-not-shown", message))
        })
    }

    /// A log, looked up at the cluster if it was not asked for yet.
    ///
    /// # Errors
    /// `Invalid` for a log that the store was not set up for, or without a topic or partition.
    pub(super) async fn get(&self, cluster: &Cluster, id: &LogId) -> Result<Arc<Log>, Error> {
        if let Some(known) = self.known().get(id) {
            return Ok(Arc::clone(known));
        }
        let (name, family) = cluster.names.of(id)?;
        let looked_up = async {
            let topic = match cluster.topic(&name).await? {
                Some(topic) => topic,
                None if family.companion => topics::ensure_companion(cluster, &name).await?,
                None => {
                    let message =
                        format!("{id}: there is no topic {name}: make it first, the store makes no users' topics");
                    return Err(Error::invalid("no-topic", message));
                }
            };
            Log::open(cluster, id, &topic).await
        };
        let log = Arc::new(cluster.within(looked_up).await?);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
        // Whoever was first is kept: there is one fold of each log.
        Ok(Arc::clone(self.known().entry(id.clone()).or_insert(log)))
    }

    /// The other logs of a log's scope and partition.
    pub(super) async fn siblings(&self, cluster: &Cluster, log: &LogId) -> Result<Vec<Arc<Log>>, Error> {
        let mut siblings = self.of_partition(cluster, log.scope(), log.partition()).await?;
        siblings.retain(|sibling| &sibling.id != log);
        Ok(siblings)
    }

    /// All logs of a scope's partition.
    pub(super) async fn of_partition(
        &self,
        cluster: &Cluster,
        scope: &ScopeId,
        partition: u32,
    ) -> Result<Vec<Arc<Log>>, Error> {
        let mut logs = Vec::new();
        for origin in std::iter::once(&cluster.settings.region).chain(&cluster.settings.peers) {
            logs.push(self.get(cluster, &LogId::new(scope.clone(), origin.clone(), partition)).await?);
        }
        Ok(logs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_missed() {
        let (logs, names) = (Logs::default(), [Arc::from("a"), Arc::from("b")]);
        logs.all_shown(names[..1].iter()).unwrap();
        logs.all_shown(names.iter()).unwrap();
        assert_eq!(logs.all_shown(names[1..].iter()).unwrap_err().code(), "topic-not-shown");
        logs.all_shown(names.iter()).unwrap();
    }
}

//! What a store's sessions share.

use std::sync::Arc;

use super::cluster::{Cluster, Until};
use super::log::Log;
use super::logs::Logs;
use super::state_topic::StateTopic;
use crate::clock::Entropy;
use crate::error::Error;
use crate::position::LogIncarnation;

/// One opened store.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) cluster: Cluster,
    pub(super) state: StateTopic,
    pub(super) logs: Logs,
    pub(super) incarnation: LogIncarnation,
    pub(super) entropy: Arc<dyn Entropy>,
}

impl Core {
    /// Folds a log up to its end as of now.
    pub(super) async fn catch_up(&self, log: &Log, until: Until) -> Result<(), Error> {
        log.catch_up(&self.cluster, until).await
    }

    /// Sees to it that the ends of these mirrors are known as of a short while ago.
    ///
    /// # Errors
    /// As a read; `Retry` if they cannot be confirmed.
    pub(super) async fn confirm(&self, mirrors: &[Arc<Log>]) -> Result<(), Error> {
        let budget = self.cluster.settings.mirror_lag;
        for mirror in mirrors {
            mirror.check()?;
            let now = self.cluster.clock.now();
            // Half of it, so that there is time to write in.
            let fresh = mirror.confirmed().is_some_and(|confirmed| now.since(confirmed) < budget / 2);
            if !fresh {
                self.catch_up(mirror, Until::Stable).await?;
            }
        }
        self.within_lag(mirrors)
    }

    /// Whether their ends are known as of at most the lag budget ago.
    ///
    /// # Errors
    /// `Retry` if not.
    pub(super) fn within_lag(&self, mirrors: &[Arc<Log>]) -> Result<(), Error> {
        let (budget, now) = (self.cluster.settings.mirror_lag, self.cluster.clock.now());
        match mirrors.iter().find(|mirror| mirror.confirmed().is_none_or(|at| now.since(at) > budget)) {
            None => Ok(()),
            Some(mirror) => {
                let message = format!("{}: its end could not be confirmed within {budget:?}", mirror.id);
                Err(Error::retry("mirror-lags", message))
            }
        }
    }
}

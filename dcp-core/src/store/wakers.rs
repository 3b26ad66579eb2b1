//! Who waits for the next record of which log.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::log::LogId;

/// One channel per log that someone reads, so that a commit wakes the readers of its logs only.
#[derive(Debug, Default)]
pub(crate) struct Wakers(Mutex<BTreeMap<LogId, watch::Sender<()>>>);

impl Wakers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<LogId, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes with every later commit to the log, and ends with the store.
    pub(crate) fn subscribe(&self, log: &LogId) -> watch::Receiver<()> {
        let mut readers = self.lock();
        // Channels that nobody reads any longer go, so that there are never more than readers.
        readers.retain(|_, sender| sender.receiver_count() > 0);
        readers.entry(log.clone()).or_insert_with(|| watch::channel(()).0).subscribe()
    }

    /// Wakes the readers of a log.
    pub(crate) fn wake(&self, log: &LogId) {
        if let Some(sender) = self.lock().get(log) {
            sender.send_replace(());
        }
    }

    /// Wakes all, for the last time.
    #[cfg(feature = "embedded")]
    pub(crate) fn end(&self) {
        self.lock().clear();
    }
}

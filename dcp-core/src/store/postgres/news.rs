//! Who waits for new records, and the one question that serves them all.
//!
//! The commits of this process wake its readers at once. Those of other processes are asked for: a
//! notification by the server would put all commits of the instance under one lock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, watch};

use super::server::Server;
use crate::error::Error;
use crate::log::LogId;
use crate::store::wakers::Wakers;

/// What is known of the logs, and when it was asked.
#[derive(Debug)]
pub(super) struct News {
    server: Arc<Server>,
    wakers: Arc<Wakers>,
    poll: Duration,
    // One question at a time, with what the last one was answered.
    asking: Mutex<BTreeMap<LogId, i64>>,
    rounds: AtomicU64,
}

impl News {
    pub(super) fn new(server: Arc<Server>, wakers: Arc<Wakers>, poll: Duration) -> Self {
        Self { server, wakers, poll, asking: Mutex::default(), rounds: AtomicU64::new(0) }
    }

    pub(super) fn subscribe(&self, log: &LogId) -> watch::Receiver<()> {
        self.wakers.subscribe(log)
    }

    /// Waits until the log may have grown: a commit of this process, or an answer that shows one.
    ///
    /// # Errors
    /// As a read.
    pub(super) async fn wait(&self, grown: &mut watch::Receiver<()>) -> Result<(), Error> {
        loop {
            match tokio::time::timeout(self.poll, grown.changed()).await {
                Ok(changed) => {
                    return changed.map_err(|_| Error::stopped("store-closed", "the store was closed; open it again"));
                }
                Err(_) => self.ask().await?,
            }
        }
    }

    // Whoever waited for another's question takes its answer for its own.
    async fn ask(&self) -> Result<(), Error> {
        let round = self.rounds.load(Ordering::SeqCst);
        let mut known = self.asking.lock().await;
        if self.rounds.load(Ordering::SeqCst) != round {
            return Ok(());
        }
        let rows = self.server.read(async |session| session.ask(&self.server.statements.counts, &[]).await).await?;
        for row in rows {
            let named = format!("{}@{}/{}", row.get::<_, &str>(0), row.get::<_, &str>(1), row.get::<_, i64>(2));
            let (log, count): (LogId, i64) = (named.parse()?, row.get(3));
            if known.insert(log.clone(), count) != Some(count) {
                self.wakers.wake(&log);
            }
        }
        self.rounds.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

//! Writes a region's heartbeats.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use dcp_core::clock::Entropy;
use dcp_core::digest::Digest;
use dcp_core::ids::{RegionId, ScopeId};
use dcp_core::log::LogId;
use dcp_core::ports::{EventStore, EventWriter, OwnerBatch, WriterRole};
use dcp_core::position::Cut;
use dcp_core::{Error, ErrorKind, Failure};
use tokio::sync::Mutex;

use super::Heartbeat;
use crate::lanes::{Lane, in_lanes};

/// Writes one heartbeat per scope into the region's own companion logs: each second, and before
/// each renewal of the ownership leases.
///
/// It keeps nothing: the next sequence is the companion log's own count and one, read together
/// with the ends that the heartbeat names, as of one moment. So it goes on after a restart, and an
/// append of unknown outcome neither repeats nor skips a sequence.
pub struct HeartbeatWriter {
    store: Arc<dyn EventStore>,
    region: RegionId,
    companions: BTreeMap<ScopeId, LogId>,
    entropy: Arc<dyn Entropy>,
    session: Mutex<Option<Box<dyn EventWriter>>>,
}

impl fmt::Debug for HeartbeatWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeartbeatWriter").field("region", &self.region).field("companions", &self.companions).finish()
    }
}

impl HeartbeatWriter {
    /// A writer for the scopes that `region` may own slices of, over the region's own store.
    /// `entropy` draws the marks; it must never draw alike after a restart.
    ///
    /// # Errors
    /// `Invalid` if there is no scope, or a scope's name leaves no room for its companion's.
    pub fn new(
        store: Arc<dyn EventStore>,
        region: RegionId,
        scopes: impl IntoIterator<Item = ScopeId>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Error> {
        let companions = scopes
            .into_iter()
            .map(|scope| LogId::heartbeats(&scope, &region).map(|log| (scope, log)))
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        if companions.is_empty() {
            return Err(Error::invalid("no-scope", format!("{region}: heartbeats want at least one scope")));
        }
        Ok(Self { store, region, companions, entropy, session: Mutex::new(None) })
    }

    /// The companion logs that it writes.
    pub fn companions(&self) -> impl Iterator<Item = &LogId> {
        self.companions.values()
    }

    /// Writes one heartbeat per scope, durably, naming the ends of the `owned` logs: those of the
    /// slices that the region owns now. Answers the sequences, by companion log.
    ///
    /// Beats are written one after the other; a second caller waits for the first.
    ///
    /// # Errors
    /// `NotApplied(Invalid)` for an owned log of another origin or scope. `NotApplied(Fenced)`:
    /// another process of the region writes the heartbeats now; stop. Otherwise some scopes may
    /// have been written and some not: beat again, nothing needs to be looked up.
    ///
    /// # Cancel safety
    /// Cancel safe: a dropped call may or may not have written; the next goes on from the logs.
    pub async fn beat(&self, owned: &BTreeSet<LogId>) -> Result<BTreeMap<LogId, u64>, Failure> {
        let foreign = |log: &&LogId| log.origin() != &self.region || !self.companions.contains_key(log.scope());
        if let Some(log) = owned.iter().find(foreign) {
            let sentence = format!("{log} is not a log of {} in a scope with heartbeats", self.region);
            return Err(Failure::NotApplied(Error::invalid("foreign-log", sentence)));
        }
        let mut session = self.session.lock().await;
        // Taken out while it is used: a dropped or failed call leaves none, and the next opens one.
        let writer = match session.take() {
            Some(writer) => writer,
            None => self.open().await?,
        };
        let logs: Vec<LogId> = owned.iter().chain(self.companions.values()).cloned().collect();
        let ends = self.store.ends(&logs).await.map_err(Failure::NotApplied)?;
        let mut beats: Vec<Lane<'_, _>> = Vec::with_capacity(self.companions.len());
        for (scope, companion) in &self.companions {
            let named: Vec<&LogId> = owned.iter().filter(|log| log.scope() == scope).collect();
            let mark = Digest::from_bytes(self.entropy.draw());
            beats.push(Box::pin(append(writer.as_ref(), companion, mark, named, &ends)));
        }
        let written = in_lanes(beats, self.companions.len()).await.into_iter().collect::<Result<_, _>>();
        let fenced = matches!(&written, Err(Failure::NotApplied(error)) if error.kind() == ErrorKind::Fenced);
        if written.is_ok() || fenced {
            // A fenced session is kept: opening another would fence the successor.
            *session = Some(writer);
        }
        written
    }

    async fn open(&self) -> Result<Box<dyn EventWriter>, Failure> {
        let logs: Vec<LogId> = self.companions.values().cloned().collect();
        self.store.open_writer(&logs, WriterRole::Companion).await
    }
}

async fn append(
    writer: &dyn EventWriter,
    companion: &LogId,
    mark: Digest,
    named: Vec<&LogId>,
    ends: &Cut,
) -> Result<(LogId, u64), Failure> {
    let end = |log: &LogId| {
        let missing = || Error::corrupt("missing-end", format!("{log}: the store did not answer its end"));
        ends.get(log).map(|end| end.prefix).ok_or_else(missing).map_err(Failure::NotApplied)
    };
    let sequence = end(companion)?.count + 1;
    let ends = named.into_iter().map(|log| Ok((log.clone(), end(log)?))).collect::<Result<_, Failure>>()?;
    let event = Heartbeat { sequence, mark, ends }.to_event(companion).map_err(Failure::NotApplied)?;
    writer.append(OwnerBatch::new(companion.clone(), vec![event])).await?;
    Ok((companion.clone(), sequence))
}

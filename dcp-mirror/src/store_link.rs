//! A link from one event store to another.

mod live;
mod observe;
mod round;
mod state;
mod transfer;
mod work;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::clock::{Clock, Entropy};
use dcp_core::ids::{LinkId, RegionId};
use dcp_core::log::LogId;
use dcp_core::operation::Operation;
use dcp_core::ports::{
    EventSource, EventStore, Exposure, LinkDesire, LinkStatus, LogProgress, MirrorLink, ParityCheck, StateStore,
};
use dcp_core::position::PrefixDigest;
use dcp_core::{Error, ErrorKind, Failure};
use tokio_util::sync::CancellationToken;

use crate::settings::LinkSettings;
use crate::state_machine::{Change, StoredState, check_desire, reached};
use live::Live;
use round::Worker;

/// What a link works with.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs)]
pub struct LinkPorts {
    /// The source region's store; may be remote.
    pub source: Arc<dyn EventSource>,
    /// This region's store.
    pub local: Arc<dyn EventStore>,
    /// This region's state store: holds what the link shall do.
    pub state: Arc<dyn StateStore>,
    /// The local clock.
    pub clock: Arc<dyn Clock>,
    /// For the jitter of reconnecting.
    pub entropy: Arc<dyn Entropy>,
}

/// Copies the logs of one origin from its region's store into the local one, exactly once.
///
/// Any number of processes may hold a `StoreLink` of one id to read its status or set its desire;
/// of those that [`run`](Self::run), the latest fences the others.
pub struct StoreLink {
    pub(crate) settings: LinkSettings,
    pub(crate) ports: LinkPorts,
    live: Live,
}

impl fmt::Debug for StoreLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreLink").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl StoreLink {
    /// A link that does nothing until it is [`run`](Self::run).
    ///
    /// # Errors
    /// As [`LinkSettings::check`].
    pub fn new(settings: LinkSettings, ports: LinkPorts) -> Result<Self, Error> {
        settings.check()?;
        state::key(&settings.id)?;
        let live = Live::new(&settings, ports.clock.now());
        Ok(Self { settings, ports, live })
    }

    /// Copies until it is stopped. While the source, the local store or the state store does not answer
    /// it waits, for the stores with growing pauses; while the durable state says so it rests.
    ///
    /// # Errors
    /// `Fenced`: another worker of this link has taken over; do not start again. Anything else, never
    /// `Retry`, is the local store's or state store's own error, or a source that refuses this reader:
    /// the caller decides whether to start again.
    ///
    /// # Cancel safety
    /// Cancel safe: a batch under way may or may not have been copied, and the next run goes on
    /// from the mirror. Prefer `stop`, which lets it finish.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), Error> {
        let _adopted = self.live.running();
        let mut worker = Worker::new(self);
        while !stop.is_cancelled() {
            // Made before the state is read: a change after that reading interrupts this round.
            let interrupt = self.live.fresh_interrupt(&stop);
            let more = worker.round(&interrupt).await?;
            if more {
                tokio::task::yield_now().await;
            } else {
                tokio::select! {
                    biased;
                    () = interrupt.cancelled() => {}
                    () = self.ports.clock.sleep(self.settings.poll) => {}
                }
            }
        }
        Ok(())
    }

    /// Sets the throttle of the users' records, per second; none: as fast as it goes; 0: none at
    /// all. Volatile: a restarted link has that of its settings.
    pub fn set_throttle(&self, records_per_second: Option<u64>) {
        self.live.set_throttle(records_per_second, self.ports.clock.now());
    }

    /// After an operator has looked at the cause: lets a failed link compare again, durably. What
    /// it finds decides whether it copies; the same divergence fails it again.
    ///
    /// # Errors
    /// As [`MirrorLink::set_desire`].
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call is in doubt; read the status.
    pub async fn release(&self, operation: &Operation) -> Result<(), Failure> {
        self.change(operation, Change::Release).await
    }

    async fn applied(&self) -> Result<BTreeMap<LogId, PrefixDigest>, Error> {
        let logs: Vec<LogId> = self.settings.logs.iter().cloned().collect();
        let ends = self.ports.local.ends(&logs).await?;
        Ok(ends.iter().map(|(log, end)| (log.clone(), end.prefix)).collect())
    }

    async fn change(&self, operation: &Operation, change: Change) -> Result<(), Failure> {
        state::change(self.ports.state.as_ref(), &self.settings.id, operation, &change).await?;
        self.live.interrupt();
        Ok(())
    }
}

#[async_trait]
impl MirrorLink for StoreLink {
    fn id(&self) -> &LinkId {
        &self.settings.id
    }

    fn source(&self) -> &RegionId {
        &self.settings.source
    }

    async fn exposure(&self) -> Result<BTreeMap<LogId, Exposure>, Error> {
        let applied = self.applied().await?;
        Ok(self.live.declare(self.ports.clock.now(), &applied))
    }

    /// The state is the one that a worker of this process has adopted, so that `Paused` means that
    /// nothing is being copied any more; without a worker here it is the stored one.
    async fn status(&self) -> Result<LinkStatus, Error> {
        let stored: StoredState = match state::read(self.ports.state.as_ref(), &self.settings.id).await {
            Ok((stored, _)) => stored,
            Err(error) if error.kind() == ErrorKind::Stopped => {
                return Err(Error::retry("state-stopped", error.message()));
            }
            Err(error) => return Err(error),
        };
        let applied = self.applied().await?;
        let now = self.ports.clock.now();
        let (view, known) = self.live.view(now);
        let mut status = LinkStatus::new(view.adopted.unwrap_or_else(|| stored.effective()));
        status.reached = reached(&stored, &applied);
        status.heartbeat_age = view.heartbeat_age;
        status.connected = view.connected;
        status.failure = stored.failure.as_ref().map(ToString::to_string);
        status.logs = applied
            .into_iter()
            .map(|(log, applied)| {
                let source_count = known.get(&log).copied().unwrap_or(0).max(applied.count);
                (log, LogProgress { applied, source_count })
            })
            .collect();
        Ok(status)
    }

    async fn set_desire(&self, operation: &Operation, desire: LinkDesire) -> Result<(), Failure> {
        check_desire(&self.settings.id, &desire, |log| self.settings.logs.contains(log))
            .map_err(Failure::NotApplied)?;
        self.change(operation, Change::Desire(desire)).await
    }

    fn parity(&self) -> Option<&dyn ParityCheck> {
        Some(self)
    }
}

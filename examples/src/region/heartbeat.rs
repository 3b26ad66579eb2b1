//! Heartbeats: each second, and before each renewal of the ownership leases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dcp_core::clock::Clock;
use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::log::LogId;
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{EventStore, LeaseHoldings};
use dcp_core::position::PrefixDigest;
use dcp_core::treaty::Treaty;
use dcp_core::{Error, ErrorKind, Failure};
use dcp_fencing::{BeforeRenewal, StoreHistory};
use dcp_mirror::HeartbeatWriter;
use tokio_util::sync::CancellationToken;

// notes on the recovery point: one heartbeat a second bounds what a takeover declares to a second.
const INTERVAL: Duration = Duration::from_secs(1);

/// A durable heartbeat in the region's own event store, so that a stalled disk ends the leases.
#[derive(Debug)]
pub(super) struct Beats {
    pub(super) region: RegionId,
    pub(super) writer: HeartbeatWriter,
    pub(super) store: Arc<dyn EventStore>,
    pub(super) treaty: Arc<Treaty>,
}

impl Beats {
    async fn beat<'a>(&self, owned: impl IntoIterator<Item = &'a SliceRef> + Send) -> Result<(), Error> {
        let mut logs = BTreeSet::new();
        for slice in owned {
            logs.extend(self.treaty.logs_of(slice, &self.region)?);
        }
        match self.writer.beat(&logs).await {
            Ok(_) => Ok(()),
            Err(Failure::NotApplied(error)) => Err(error),
            // The next heartbeat goes on from the log: nothing needs to be looked up.
            Err(Failure::InDoubt(doubt)) => Err(Error::retry("heartbeat-in-doubt", doubt.to_string())),
        }
    }

    /// Beats each second until stopped.
    pub(super) async fn run(
        self: Arc<Self>,
        leases: Arc<dyn LeaseHoldings>,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) -> Result<(), Error> {
        while !stop.is_cancelled() {
            match self.beat(leases.adopted().keys()).await {
                Err(error) if error.kind() == ErrorKind::Fenced => return Err(error),
                Err(error) => tracing::warn!(%error, "no heartbeat"),
                Ok(()) => {}
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = clock.sleep(INTERVAL) => {}
            }
        }
        Ok(())
    }
}

#[async_trait]
impl BeforeRenewal for Beats {
    async fn before_renewal(
        &self,
        held: &BTreeMap<SliceRef, WriteGrant>,
        remembered: &BTreeMap<LogId, PrefixDigest>,
    ) -> Result<StoreHistory, Error> {
        self.beat(held.keys()).await?;
        StoreHistory::of(self.store.as_ref(), self.writer.companions().cloned(), remembered).await
    }
}

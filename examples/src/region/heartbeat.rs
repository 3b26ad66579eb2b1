//! Heartbeats: each second, and before each renewal of the ownership leases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dcp_core::clock::Clock;
use dcp_core::ids::SliceRef;
use dcp_core::log::LogId;
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{EventSource, EventStore, LeaseHoldings, StoreIdentity};
use dcp_core::treaty::Treaty;
use dcp_core::{Error, ErrorKind, Failure};
use dcp_fencing::BeforeRenewal;
use dcp_mirror::HeartbeatWriter;
use tokio_util::sync::CancellationToken;

// notes on the recovery point: one heartbeat a second bounds what a takeover declares to a second.
const INTERVAL: Duration = Duration::from_secs(1);

/// A durable heartbeat in the region's own event store, so that a stalled disk ends the leases.
#[derive(Debug)]
pub(super) struct Beats {
    pub(super) writer: HeartbeatWriter,
    pub(super) store: Arc<dyn EventStore>,
    pub(super) treaty: Arc<Treaty>,
}

impl Beats {
    fn logs(&self, held: &BTreeMap<SliceRef, WriteGrant>) -> Result<BTreeSet<LogId>, Error> {
        let mut logs = BTreeSet::new();
        for grant in held.values() {
            logs.extend(self.treaty.logs_of(&grant.slice, &grant.owner)?);
        }
        Ok(logs)
    }

    async fn beat(&self, held: &BTreeMap<SliceRef, WriteGrant>) -> Result<(), Error> {
        match self.writer.beat(&self.logs(held)?).await {
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
            match self.beat(&leases.held()).await {
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
    async fn before_renewal(&self, held: &BTreeMap<SliceRef, WriteGrant>) -> Result<StoreIdentity, Error> {
        self.beat(held).await?;
        self.store.identity().await
    }
}

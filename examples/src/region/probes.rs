//! What users of a region depend on, as probes.

use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::Error;
use dcp_core::appends::GuardedAppends;
use dcp_core::clock::Clock;
use dcp_core::ids::RegionId;
use dcp_core::ports::{Appends, EventStore, Health, HealthProbe, LeaseHoldings, ReplayControl};
use dcp_core::treaty::Treaty;

/// Every slice that this region owns is open for appends, under a valid lease.
#[derive(Debug)]
pub(super) struct SlicesOpen {
    pub(super) region: RegionId,
    pub(super) treaty: Arc<Treaty>,
    pub(super) appends: Arc<GuardedAppends>,
    pub(super) leases: Arc<dyn LeaseHoldings>,
    pub(super) clock: Arc<dyn Clock>,
}

#[async_trait]
impl HealthProbe for SlicesOpen {
    fn name(&self) -> &str {
        "slices-open"
    }

    async fn probe(&self) -> Result<Health, Error> {
        for slice in self.treaty.slices() {
            let known = self.appends.ownership(&slice).await?;
            if known.owner != self.region {
                continue;
            }
            if self.appends.open_grant(&slice).is_none_or(|open| open.epoch != known.epoch) {
                return Ok(Health::Red(format!("{slice} is not open")));
            }
            if let Err(error) = self.leases.check(&slice, known.epoch, self.clock.now()) {
                return Ok(Health::Red(error.to_string()));
            }
        }
        Ok(Health::Green)
    }
}

/// The event store answers.
#[derive(Debug)]
pub(super) struct StoreAnswers {
    pub(super) store: Arc<dyn EventStore>,
}

#[async_trait]
impl HealthProbe for StoreAnswers {
    fn name(&self) -> &str {
        "store-answers"
    }

    async fn probe(&self) -> Result<Health, Error> {
        self.store.identity().await.map(|_| Health::Green)
    }
}

/// No projection has stopped, and none has a stream whose rows wait to be folded again.
#[derive(Debug)]
pub(super) struct ProjectionsRun {
    pub(super) replay: Arc<dyn ReplayControl>,
}

#[async_trait]
impl HealthProbe for ProjectionsRun {
    fn name(&self) -> &str {
        "projections-run"
    }

    async fn probe(&self) -> Result<Health, Error> {
        let status = self.replay.status().await?;
        if let Some((projection, reason)) = status.stopped.iter().next() {
            return Ok(Health::Red(format!("{projection}: {reason}")));
        }
        let dirty = status.dirty.iter().find(|(_, streams)| **streams > 0);
        Ok(dirty.map_or(Health::Green, |(projection, streams)| {
            Health::Red(format!("{projection}: late events came for {streams} streams, which are not folded again yet"))
        }))
    }
}

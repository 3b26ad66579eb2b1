//! Opening logs for appends, and the probes that say whether it helped.

use std::sync::Arc;

use async_trait::async_trait;

use super::ownership::claims;
use super::parts::RecoveryParts;
use crate::at_most::all_of;
use crate::error::{Error, Failure};
use crate::ports::health_probe::Health;
use crate::ports::step_action::{Facts, Readiness, StepAction, StepContext, Taken};

/// Opens the logs of the slices that this run took: lease first, then writer and guard.
#[derive(Debug)]
pub(super) struct OpenLogs {
    parts: Arc<RecoveryParts>,
}

impl OpenLogs {
    pub(super) fn new(parts: Arc<RecoveryParts>) -> Self {
        Self { parts }
    }
}

#[async_trait]
impl StepAction for OpenLogs {
    async fn ready(&self, context: &StepContext) -> Result<Readiness, Error> {
        claims(&self.parts, context).await?;
        Ok(Readiness::Ready)
    }

    async fn act(&self, context: &StepContext) -> Result<(), Failure> {
        let claims = claims(&self.parts, context).await.map_err(Failure::NotApplied)?;
        for grant in claims.ours.values() {
            self.parts.leases.adopt(grant).map_err(Failure::NotApplied)?;
        }
        self.parts.leases.renew_now().await?;
        all_of(claims.ours.values().map(|grant| async move {
            match self.parts.appends.open(grant).await {
                // Let go of in this very moment, as `took` will see; the plane gives its lease back.
                Err(Failure::NotApplied(error)) if error.code() == "released" => Ok(()),
                opened => opened,
            }
        }))
        .await
    }

    async fn took(&self, context: &StepContext) -> Result<Taken, Error> {
        let claims = claims(&self.parts, context).await?;
        let now = self.parts.clock.now();
        for (slice, grant) in &claims.ours {
            let open = self.parts.appends.open_grant(slice).is_some_and(|open| open.epoch == grant.epoch);
            if !open || self.parts.leases.check(slice, grant.epoch, now).is_err() {
                return Ok(Taken::No);
            }
        }
        let open: Vec<_> = claims.ours.keys().collect();
        Ok(Taken::Yes(Facts::new().with("open", &open)?.with("let_go", &claims.let_go)?))
    }
}

/// Waits until every probe is green: only then has the takeover served users.
#[derive(Debug)]
pub(super) struct ConfirmHealth {
    parts: Arc<RecoveryParts>,
}

impl ConfirmHealth {
    pub(super) fn new(parts: Arc<RecoveryParts>) -> Self {
        Self { parts }
    }
}

#[async_trait]
impl StepAction for ConfirmHealth {
    async fn ready(&self, _context: &StepContext) -> Result<Readiness, Error> {
        Ok(Readiness::Ready)
    }

    async fn act(&self, _context: &StepContext) -> Result<(), Failure> {
        Ok(()) // Nothing to do but to look: `took` is the step.
    }

    async fn took(&self, _context: &StepContext) -> Result<Taken, Error> {
        let mut green = Vec::new();
        for probe in &self.parts.probes {
            match probe.probe().await {
                Ok(Health::Green) => green.push(probe.name().to_owned()),
                Ok(Health::Red(reason)) => return Ok(Taken::NotYet(format!("{}: {reason}", probe.name()))),
                Err(error) => return Ok(Taken::NotYet(format!("{}: {error}", probe.name()))),
            }
        }
        Ok(Taken::Yes(Facts::new().with("green", &green)?))
    }
}

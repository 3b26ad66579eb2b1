//! Steering the links: pause, deliver a tail up to exact ends, reopen.

use std::sync::Arc;

use async_trait::async_trait;

use super::parts::RecoveryParts;
use crate::error::{Error, Failure};
use crate::ids::RegionId;
use crate::ports::mirror_link::{LinkDesire, LinkState};
use crate::ports::step_action::{Facts, Readiness, StepAction, StepContext, Taken};
use crate::position::Cut;

/// What a link step wants.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    /// Copy nothing.
    Paused,
    /// Copy exactly to the ends that this step of the run has left as the fact `ends`.
    StagedTo(&'static str),
    /// Copy.
    Active,
}

/// Sets the link from one region.
#[derive(Debug)]
pub(super) struct SteerLink {
    parts: Arc<RecoveryParts>,
    source: RegionId,
    wanted: Wanted,
}

impl SteerLink {
    pub(super) fn new(parts: Arc<RecoveryParts>, source: RegionId, wanted: Wanted) -> Self {
        Self { parts, source, wanted }
    }

    fn desire(&self, context: &StepContext) -> Result<LinkDesire, Error> {
        Ok(match self.wanted {
            Wanted::Paused => LinkDesire::paused(),
            Wanted::Active => LinkDesire::active(),
            Wanted::StagedTo(step) => LinkDesire::staging(context.facts_of(step)?.get::<Cut>("ends")?),
        })
    }
}

#[async_trait]
impl StepAction for SteerLink {
    async fn ready(&self, _context: &StepContext) -> Result<Readiness, Error> {
        let status = self.parts.link(&self.source)?.status().await?;
        Ok(match (status.state, &self.wanted) {
            (LinkState::Failed, Wanted::StagedTo(_) | Wanted::Active) => Readiness::Refused(format!(
                "the link from {} has failed: {}",
                self.source,
                status.failure.as_deref().unwrap_or("no reason recorded")
            )),
            _ => Readiness::Ready,
        })
    }

    async fn act(&self, context: &StepContext) -> Result<(), Failure> {
        let prepare = || {
            let operation = self.parts.operation(context.key())?;
            Ok::<_, Error>((self.parts.link(&self.source)?, operation, self.desire(context)?))
        };
        let (link, operation, desire) = prepare().map_err(Failure::NotApplied)?;
        link.set_desire(&operation, desire).await
    }

    async fn took(&self, context: &StepContext) -> Result<Taken, Error> {
        let status = self.parts.link(&self.source)?.status().await?;
        if status.state == LinkState::Failed && !matches!(self.wanted, Wanted::Paused) {
            let reason = status.failure.unwrap_or_default();
            return Err(Error::corrupt("link-failed", format!("the link from {}: {reason}", self.source)));
        }
        let desire = self.desire(context)?;
        if status.state != desire.state && status.state != LinkState::Failed {
            return Ok(Taken::No);
        }
        match &desire.until {
            Some(until) => self.staged(until, status.reached).await,
            None => Ok(Taken::Yes(Facts::new().with("state", &status.state)?)),
        }
    }
}

impl SteerLink {
    async fn staged(&self, until: &Cut, reached: bool) -> Result<Taken, Error> {
        let logs: Vec<_> = until.iter().map(|(log, _)| log.clone()).collect();
        let here = self.parts.store.ends(&logs).await?;
        let missing: u64 = until
            .iter()
            .map(|(log, end)| end.prefix.count.saturating_sub(here.get(log).map_or(0, |end| end.prefix.count)))
            .sum();
        if missing > 0 || !reached {
            return Ok(Taken::NotYet(format!("{missing} records are still to come from {}", self.source)));
        }
        Ok(Taken::Yes(Facts::new().with("reached", &here)?))
    }
}

/// Waits until the mirror holds exactly what the owner sealed, with the link running for all else.
#[derive(Debug)]
pub(super) struct AwaitEnds {
    parts: Arc<RecoveryParts>,
}

impl AwaitEnds {
    pub(super) fn new(parts: Arc<RecoveryParts>) -> Self {
        Self { parts }
    }
}

#[async_trait]
impl StepAction for AwaitEnds {
    async fn ready(&self, _context: &StepContext) -> Result<Readiness, Error> {
        Ok(Readiness::Ready)
    }

    async fn act(&self, _context: &StepContext) -> Result<(), Failure> {
        Ok(()) // The link copies by itself; `took` compares.
    }

    async fn took(&self, context: &StepContext) -> Result<Taken, Error> {
        let ends: Cut = context.facts_of("release")?.get("ends")?;
        for (log, sealed) in ends.iter() {
            match self.parts.store.prefix(log, sealed.prefix.count).await? {
                None => return Ok(Taken::NotYet(format!("{log}: not mirrored up to {} yet", sealed.prefix.count))),
                Some(prefix) if prefix == sealed.prefix => {}
                Some(prefix) => {
                    let message =
                        format!("{log}: sealed with digest {}, mirrored {}", sealed.prefix.digest, prefix.digest);
                    return Err(Error::corrupt("diverged", message));
                }
            }
        }
        Ok(Taken::Yes(Facts::new().with("equal", &ends)?))
    }
}

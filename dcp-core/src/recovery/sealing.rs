//! Sealing this region's own guards under a new ownership, before anything is opened.

use std::sync::Arc;

use async_trait::async_trait;

use super::ownership::claims;
use super::parts::RecoveryParts;
use crate::at_most::all_of;
use crate::error::{Error, Failure};
use crate::ports::step_action::{Facts, Readiness, StepAction, StepContext, Taken};

/// Seals the guards of the slices that this run took.
#[derive(Debug)]
pub(super) struct SealOwn {
    parts: Arc<RecoveryParts>,
}

impl SealOwn {
    pub(super) fn new(parts: Arc<RecoveryParts>) -> Self {
        Self { parts }
    }
}

#[async_trait]
impl StepAction for SealOwn {
    async fn ready(&self, context: &StepContext) -> Result<Readiness, Error> {
        claims(&self.parts, context).await?;
        Ok(Readiness::Ready)
    }

    async fn act(&self, context: &StepContext) -> Result<(), Failure> {
        let claims = claims(&self.parts, context).await.map_err(Failure::NotApplied)?;
        all_of(claims.ours.iter().map(|(slice, grant)| async move {
            let token = self.parts.token(grant).map_err(Failure::NotApplied)?;
            let guard = self.parts.appends.guard(slice).map_err(Failure::NotApplied)?;
            guard.seal(&token).await.map(drop)
        }))
        .await
    }

    async fn took(&self, context: &StepContext) -> Result<Taken, Error> {
        let mut sealed = Vec::new();
        for (slice, grant) in claims(&self.parts, context).await?.ours {
            let fence = self.parts.appends.guard(&slice)?.fence().await?;
            match fence.highest() {
                Some(rank) if rank.epoch == grant.epoch && rank.issuer == grant.owner => sealed.push(slice),
                Some(rank) if rank.epoch > grant.epoch => {
                    return Err(Error::fenced("stale", format!("{slice}: its guard was sealed at {rank}")));
                }
                _ => return Ok(Taken::No),
            }
        }
        Ok(Taken::Yes(Facts::new().with("sealed", &sealed)?))
    }
}

//! The planned move, seen from the successor: the owner is asked to seal and let go.

use std::sync::Arc;

use async_trait::async_trait;

use super::parts::RecoveryParts;
use crate::error::{Error, Failure};
use crate::ids::{RegionId, SliceRef};
use crate::ports::step_action::{Facts, Readiness, StepAction, StepContext, Taken};

/// Asks the owner to seal the slice and give up its present epoch.
#[derive(Debug)]
pub(super) struct Release {
    parts: Arc<RecoveryParts>,
    slice: SliceRef,
    from: RegionId,
}

impl Release {
    pub(super) fn new(parts: Arc<RecoveryParts>, slice: SliceRef, from: RegionId) -> Self {
        Self { parts, slice, from }
    }
}

#[async_trait]
impl StepAction for Release {
    async fn ready(&self, _context: &StepContext) -> Result<Readiness, Error> {
        let terms = self.parts.treaty.scope(&self.slice.scope)?;
        if !terms.may_own(&self.parts.region) {
            return Ok(Readiness::Refused(format!("{}: {} may not own it", self.slice, self.parts.region)));
        }
        let head = self.parts.head(&self.slice).await?;
        if head.owner == self.from {
            return Ok(Readiness::Ready);
        }
        let (owner, epoch) = (&head.owner, head.epoch);
        Ok(Readiness::Refused(format!("{}: owned by {owner} under epoch {epoch}, not by {}", self.slice, self.from)))
    }

    async fn act(&self, context: &StepContext) -> Result<(), Failure> {
        let peer = self.parts.peer(&self.from).map_err(Failure::NotApplied)?;
        peer.handover.release(&self.slice, &self.parts.region, &context.key()).await?;
        Ok(())
    }

    async fn took(&self, _context: &StepContext) -> Result<Taken, Error> {
        let peer = self.parts.peer(&self.from)?;
        let Some(receipt) = peer.handover.released(&self.slice).await? else { return Ok(Taken::No) };
        let logs: Vec<_> = receipt.ends.iter().map(|(log, _)| log.clone()).collect();
        let ends = peer.source.ends(&logs).await?;
        if ends != receipt.ends {
            return Err(Error::corrupt("seal-leaks", format!("{}: appended to after it was sealed", self.slice)));
        }
        Ok(Taken::Yes(Facts::new().with("ends", &receipt.ends)?.with("epoch", &receipt.rank.epoch)?))
    }
}

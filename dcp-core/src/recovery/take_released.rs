//! Taking one slice that its owner has sealed and let go of: the planned move.

use std::sync::Arc;

use async_trait::async_trait;

use super::ownership::{claim_of, judge_heads, learn, sign};
use super::parts::RecoveryParts;
use crate::error::{Error, Failure};
use crate::ids::{RegionId, SliceRef};
use crate::ownership::{Epoch, Evidence, WriteGrant};
use crate::ports::step_action::{Readiness, StepAction, StepContext, Taken};
use crate::position::Cut;

/// Takes the slice under the receipt that the step `release` left.
#[derive(Debug)]
pub(super) struct TakeReleased {
    parts: Arc<RecoveryParts>,
    slice: SliceRef,
    from: RegionId,
}

impl TakeReleased {
    pub(super) fn new(parts: Arc<RecoveryParts>, slice: SliceRef, from: RegionId) -> Self {
        Self { parts, slice, from }
    }

    // The receipt speaks of the epoch that was let go of: under a newer one the same owner may have
    // written since, past the ends that it names.
    fn wanted(&self, head: &WriteGrant, released: Epoch) -> bool {
        head.slice == self.slice && head.owner == self.from && head.epoch == released
    }
}

fn released_epoch(context: &StepContext) -> Result<Epoch, Error> {
    context.facts_of("release")?.get("epoch")
}

#[async_trait]
impl StepAction for TakeReleased {
    async fn ready(&self, context: &StepContext) -> Result<Readiness, Error> {
        let (head, released) = (self.parts.head(&self.slice).await?, released_epoch(context)?);
        let mine = head.claim.as_ref() == Some(&claim_of(context));
        if mine || self.wanted(&head, released) {
            return Ok(Readiness::Ready);
        }
        let (slice, owner, epoch) = (&self.slice, &head.owner, head.epoch);
        Ok(Readiness::Refused(format!(
            "{slice}: {} let go of epoch {released}, and now {owner} owns it under epoch {epoch}",
            self.from
        )))
    }

    async fn act(&self, context: &StepContext) -> Result<(), Failure> {
        let record = async {
            let (head, released) = (self.parts.head(&self.slice).await?, released_epoch(context)?);
            let ends: Cut = context.facts_of("release")?.get("ends")?;
            let sealed = || sign(&self.parts, &head, context, Evidence::Sealed { ends });
            self.wanted(&head, released).then(sealed).transpose()
        };
        let Some(record) = record.await.map_err(Failure::NotApplied)? else { return Ok(()) };
        self.parts.witness.claim(std::slice::from_ref(&record), None).await?;
        learn(&self.parts, &[record]);
        Ok(())
    }

    async fn took(&self, context: &StepContext) -> Result<Taken, Error> {
        let released = released_epoch(context)?;
        let head = self.parts.head(&self.slice).await?;
        judge_heads(&[head], &|head| self.wanted(head, released), &claim_of(context))
    }
}

//! Taking over from a region whose ownership lease has run out.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::handover::OwnerHandover;
use super::ownership::{claim_of, judge_heads, learn, sign};
use super::parts::RecoveryParts;
use super::takeover::Ground;
use crate::error::{Error, Failure};
use crate::ids::RegionId;
use crate::lease::ChallengeState;
use crate::ownership::{Evidence, WriteGrant};
use crate::ports::handover::Handover as _;
use crate::ports::step_action::{Readiness, StepAction, StepContext, Taken};

/// Takes every slice that the lost region owns, and takes back those that were let go of to it.
#[derive(Debug)]
pub(super) struct TakeRunOut {
    parts: Arc<RecoveryParts>,
    lost: RegionId,
    // The sequence when this step was first asked: a newer one means that the owner lives.
    first_seen: Mutex<Option<u64>>,
}

/// A lease that has run out, as it was read.
struct RunOut {
    revision: u64,
    sequence: u64,
    waited_nanos: u64,
}

impl TakeRunOut {
    pub(super) fn new(parts: Arc<RecoveryParts>, lost: RegionId) -> Self {
        Self { parts, lost, first_seen: Mutex::new(None) }
    }

    fn still_renewing(&self) -> bool {
        let Some(sequence) = self.parts.peer_leases.sequence(&self.lost) else { return false };
        let mut first = self.first_seen.lock().unwrap_or_else(PoisonError::into_inner);
        *first.get_or_insert(sequence) < sequence
    }

    fn run_out(&self) -> Result<RunOut, Error> {
        match self.parts.peer_leases.state(&self.lost, self.parts.clock.now()) {
            ChallengeState::RunOut { revision, sequence, waited, .. } => {
                let waited_nanos = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
                Ok(RunOut { revision, sequence, waited_nanos })
            }
            _ => Err(Error::retry(
                "lease-running",
                format!("the ownership lease of {} is not known to have run out", self.lost),
            )),
        }
    }

    async fn evidence(&self, head: &WriteGrant, lease: &RunOut) -> Result<Evidence, Failure> {
        let logs = self.parts.treaty.logs_of(&head.slice, &self.lost).map_err(Failure::NotApplied)?;
        let mirrored_ends = self.parts.store.ends(&logs).await.map_err(Failure::NotApplied)?;
        Ok(Evidence::LeaseRunOut {
            lease_revision: lease.revision,
            last_sequence: lease.sequence,
            waited_nanos: lease.waited_nanos,
            mirrored_ends,
        })
    }

    // The receipt of this region's own seal; a crash may have come between the release and the seal.
    async fn own_receipt(&self, head: &WriteGrant, context: &StepContext) -> Result<Evidence, Failure> {
        let handover = OwnerHandover::new(Arc::clone(&self.parts));
        let receipt = handover.release(&head.slice, &self.lost, &context.key()).await?;
        Ok(Evidence::Sealed { ends: receipt.ends })
    }
}

#[async_trait]
impl StepAction for TakeRunOut {
    async fn ready(&self, context: &StepContext) -> Result<Readiness, Error> {
        if self.still_renewing() {
            let sequence = self.parts.peer_leases.sequence(&self.lost).unwrap_or_default();
            return Ok(Readiness::Refused(format!(
                "the ownership lease lease/{} is being renewed (sequence {sequence}): its owner lives behind a dark link and is never taken over",
                self.lost
            )));
        }
        Ok(match self.parts.peer_leases.state(&self.lost, context.now) {
            ChallengeState::RunOut { .. } => Readiness::Ready,
            ChallengeState::Running { left } => {
                Readiness::NotYet(format!("the ownership lease lease/{} may still be held for {left:?}", self.lost))
            }
            ChallengeState::Unseen => {
                Readiness::NotYet(format!("the ownership lease lease/{} was not read yet", self.lost))
            }
        })
    }

    // All in one claim, conditional on each head and on the lease: a region that renews meanwhile,
    // or has claimed what was let go of to it, makes it a conflict.
    async fn act(&self, context: &StepContext) -> Result<(), Failure> {
        let lease = self.run_out().map_err(Failure::NotApplied)?;
        let mut records = Vec::new();
        for (head, ground) in self.parts.takeable(&self.lost).await.map_err(Failure::NotApplied)? {
            let evidence = match ground {
                Ground::Owned => self.evidence(&head, &lease).await?,
                Ground::LetGo => self.own_receipt(&head, context).await?,
            };
            records.push(sign(&self.parts, &head, context, evidence).map_err(Failure::NotApplied)?);
        }
        if records.is_empty() {
            return Ok(());
        }
        self.parts.witness.claim(&records, Some((&self.lost, lease.revision))).await?;
        learn(&self.parts, &records);
        Ok(())
    }

    async fn took(&self, context: &StepContext) -> Result<Taken, Error> {
        let heads = self.parts.heads().await?;
        let left = self.parts.takeable_of(&self.lost, &heads).await?;
        let wanted = |head: &WriteGrant| left.iter().any(|(left, _)| left.slice == head.slice);
        judge_heads(&heads, &wanted, &claim_of(context))
    }
}

//! Taking ownership: a claim at the witness, recognised again by run, plan and nonce.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::parts::RecoveryParts;
use crate::error::{Error, Failure};
use crate::ids::{RegionId, SliceRef, StepId};
use crate::lease::ChallengeState;
use crate::ownership::{Claim, Epoch, Evidence, Ownership, WriteGrant};
use crate::ports::step_action::{Facts, Readiness, StepAction, StepContext, Taken};
use crate::position::Cut;
use crate::treaty::TakeoverRule;

/// Name of the fact that lists what a claim took.
pub(super) const CLAIMED: &str = "claimed";

/// One slice that a run took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claimed {
    pub(super) slice: SliceRef,
    pub(super) epoch: Epoch,
}

fn claim_of(context: &StepContext) -> Claim {
    Claim { run: context.run.clone(), plan: context.plan, nonce: context.nonce }
}

/// What became of a claim, from the chains' heads. Pure.
fn judge_heads(heads: &[WriteGrant], wanted: &dyn Fn(&WriteGrant) -> bool, claim: &Claim) -> Result<Taken, Error> {
    let mine: Vec<Claimed> = heads
        .iter()
        .filter(|head| head.claim.as_ref() == Some(claim))
        .map(|head| Claimed { slice: head.slice.clone(), epoch: head.epoch })
        .collect();
    if heads.iter().any(wanted) {
        return Ok(Taken::No);
    }
    if mine.is_empty() {
        return Err(Error::conflict(
            "ownership-moved",
            "no slice is left to take and none was taken by this claim: another run or operator was first",
        ));
    }
    Ok(Taken::Yes(Facts::new().with(CLAIMED, &mine)?))
}

/// Takes every slice of a region whose ownership lease has run out.
#[derive(Debug)]
pub(super) struct TakeRunOut {
    parts: Arc<RecoveryParts>,
    lost: RegionId,
    // The sequence when this step was first asked: a newer one means that the owner lives.
    first_seen: Mutex<Option<u64>>,
}

impl TakeRunOut {
    pub(super) fn new(parts: Arc<RecoveryParts>, lost: RegionId) -> Self {
        Self { parts, lost, first_seen: Mutex::new(None) }
    }

    fn wanted(&self, head: &WriteGrant) -> bool {
        head.owner == self.lost
            && self
                .parts
                .treaty
                .scope(&head.slice.scope)
                .is_ok_and(|terms| terms.may_own(&self.parts.region) && terms.takeover() == TakeoverRule::Leased)
    }

    fn still_renewing(&self) -> bool {
        let Some(sequence) = self.parts.peer_leases.sequence(&self.lost) else { return false };
        let mut first = self.first_seen.lock().unwrap_or_else(PoisonError::into_inner);
        *first.get_or_insert(sequence) < sequence
    }

    async fn mirrored_ends(&self, head: &WriteGrant) -> Result<Cut, Error> {
        self.parts.store.ends(&self.parts.treaty.logs_of(&head.slice, &self.lost)?).await
    }

    async fn records(&self, context: &StepContext) -> Result<(Vec<WriteGrant>, u64), Error> {
        let ChallengeState::RunOut { revision, sequence, waited, .. } =
            self.parts.peer_leases.state(&self.lost, self.parts.clock.now())
        else {
            return Err(Error::retry(
                "lease-running",
                format!("the ownership lease of {} is not known to have run out", self.lost),
            ));
        };
        let mut records = Vec::new();
        for head in self.parts.heads().await?.iter().filter(|head| self.wanted(head)) {
            let evidence = Evidence::LeaseRunOut {
                lease_revision: revision,
                last_sequence: sequence,
                waited_nanos: u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX),
                mirrored_ends: self.mirrored_ends(head).await?,
            };
            records.push(sign(&self.parts, head, context, evidence)?);
        }
        Ok((records, revision))
    }
}

fn sign(
    parts: &RecoveryParts,
    head: &WriteGrant,
    context: &StepContext,
    evidence: Evidence,
) -> Result<WriteGrant, Error> {
    let record = Ownership::succeed(head, parts.region.clone(), claim_of(context), evidence);
    parts.treaty.keyring().open_by_issuer(&parts.signer.sign(&record)?)
}

fn learn(parts: &RecoveryParts, records: &[WriteGrant]) {
    for record in records {
        parts.appends.learn(record);
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

    async fn act(&self, context: &StepContext) -> Result<(), Failure> {
        let (records, revision) = self.records(context).await.map_err(Failure::NotApplied)?;
        if records.is_empty() {
            return Ok(());
        }
        self.parts.witness.claim(&records, Some((&self.lost, revision))).await?;
        learn(&self.parts, &records);
        Ok(())
    }

    async fn took(&self, context: &StepContext) -> Result<Taken, Error> {
        judge_heads(&self.parts.heads().await?, &|head| self.wanted(head), &claim_of(context))
    }
}

/// Takes one slice whose owner has sealed and released it: the planned move.
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

    fn wanted(&self, head: &WriteGrant) -> bool {
        head.slice == self.slice && head.owner == self.from
    }
}

#[async_trait]
impl StepAction for TakeReleased {
    async fn ready(&self, _context: &StepContext) -> Result<Readiness, Error> {
        let head = self.parts.witness.ownership(&self.slice).await?;
        Ok(match head {
            Some(head) if self.wanted(&head) || head.owner == self.parts.region => Readiness::Ready,
            Some(head) => Readiness::Refused(format!("{}: owned by {}, not by {}", self.slice, head.owner, self.from)),
            None => Readiness::Refused(format!("{}: no ownership at the witness; run init", self.slice)),
        })
    }

    async fn act(&self, context: &StepContext) -> Result<(), Failure> {
        let records = async {
            let ends: Cut = context.facts_of("release")?.get("ends")?;
            let heads = self.parts.heads().await?;
            heads
                .iter()
                .filter(|head| self.wanted(head))
                .map(|head| sign(&self.parts, head, context, Evidence::Sealed { ends: ends.clone() }))
                .collect::<Result<Vec<_>, _>>()
        };
        let records = records.await.map_err(Failure::NotApplied)?;
        if records.is_empty() {
            return Ok(());
        }
        self.parts.witness.claim(&records, None).await?;
        learn(&self.parts, &records);
        Ok(())
    }

    async fn took(&self, context: &StepContext) -> Result<Taken, Error> {
        judge_heads(&self.parts.heads().await?, &|head| self.wanted(head), &claim_of(context))
    }
}

/// Grants of what an earlier step of this run claimed, as the witness holds them now.
pub(super) async fn claimed_grants(
    parts: &RecoveryParts,
    context: &StepContext,
) -> Result<BTreeMap<SliceRef, WriteGrant>, Error> {
    let claimed: Vec<Claimed> = context.facts_of("take-ownership")?.get(CLAIMED)?;
    let mut grants = BTreeMap::new();
    for one in claimed {
        let head = parts.witness.ownership(&one.slice).await?;
        match head {
            Some(head) if head.owner == parts.region && head.epoch == one.epoch => {
                grants.insert(one.slice, head);
            }
            other => {
                let now = other
                    .map_or_else(|| "nobody".to_owned(), |head| format!("{} under epoch {}", head.owner, head.epoch));
                let message = format!("{}: taken under epoch {}, now owned by {now}", one.slice, one.epoch);
                return Err(Error::fenced("ownership-lost", message));
            }
        }
    }
    Ok(grants)
}

/// After a crash, seals the guards of what a run has taken again, at the present token, before
/// anything is probed or acted on. A slice that was lost meanwhile is left alone: the step that
/// needs it refuses.
pub(super) async fn reseal(parts: &RecoveryParts, done: &BTreeMap<StepId, Facts>) -> Result<(), Failure> {
    let Some(facts) = done.iter().find_map(|(step, facts)| (step.as_str() == "take-ownership").then_some(facts)) else {
        return Ok(());
    };
    let claimed: Vec<Claimed> = facts.get(CLAIMED).map_err(Failure::NotApplied)?;
    for one in claimed {
        let head = parts.witness.ownership(&one.slice).await.map_err(Failure::NotApplied)?;
        if let Some(grant) = head.filter(|head| head.owner == parts.region && head.epoch == one.epoch) {
            let token = parts.token(&grant).map_err(Failure::NotApplied)?;
            let guard = parts.appends.guard(&one.slice).map_err(Failure::NotApplied)?;
            guard.seal(&token).await?;
        }
    }
    Ok(())
}

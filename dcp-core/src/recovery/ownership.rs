//! Taking ownership: a claim at the witness, recognised again by run, plan and nonce.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::parts::RecoveryParts;
use crate::at_most::all_of;
use crate::error::{Error, Failure};
use crate::ids::{SliceRef, StepId};
use crate::ownership::{Claim, Epoch, Evidence, Ownership, WriteGrant};
use crate::ports::step_action::{Facts, StepContext, Taken};

/// Name of the fact that lists what a claim took.
pub(super) const CLAIMED: &str = "claimed";

/// One slice that a run took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claimed {
    pub(super) slice: SliceRef,
    pub(super) epoch: Epoch,
}

pub(super) fn claim_of(context: &StepContext) -> Claim {
    Claim { run: context.run.clone(), plan: context.plan, nonce: context.nonce }
}

/// What became of a claim, from the chains' heads. Pure.
pub(super) fn judge_heads(
    heads: &[WriteGrant],
    wanted: &dyn Fn(&WriteGrant) -> bool,
    claim: &Claim,
) -> Result<Taken, Error> {
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

pub(super) fn sign(
    parts: &RecoveryParts,
    head: &WriteGrant,
    context: &StepContext,
    evidence: Evidence,
) -> Result<WriteGrant, Error> {
    let record = Ownership::succeed(head, parts.region.clone(), claim_of(context), evidence);
    parts.treaty.keyring().open_by_issuer(&parts.signer.sign(&record)?)
}

pub(super) fn learn(parts: &RecoveryParts, records: &[WriteGrant]) {
    for record in records {
        parts.appends.learn(record);
    }
}

/// How what an earlier step of this run claimed stands now.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Still this run's to seal and open, as the witness holds them.
    pub(super) ours: BTreeMap<SliceRef, WriteGrant>,
    /// Let go of since, to a successor that asked: nothing is left to do with them here.
    pub(super) let_go: Vec<SliceRef>,
}

pub(super) async fn claims(parts: &RecoveryParts, context: &StepContext) -> Result<Claims, Error> {
    let claimed: Vec<Claimed> = context.facts_of("take-ownership")?.get(CLAIMED)?;
    let mut claims = Claims::default();
    for one in claimed {
        if parts.appends.releases().holds(&one.slice, one.epoch).await? {
            claims.let_go.push(one.slice);
            continue;
        }
        let head = parts.head(&one.slice).await?;
        if head.owner != parts.region || head.epoch != one.epoch {
            let (owner, now) = (&head.owner, head.epoch);
            let message =
                format!("{}: taken under epoch {}, now owned by {owner} under epoch {now}", one.slice, one.epoch);
            return Err(Error::fenced("ownership-lost", message));
        }
        claims.ours.insert(one.slice, head);
    }
    Ok(claims)
}

/// After a crash, seals the guards of what a run has taken again, at the present token, before
/// anything is probed or acted on. A slice that was lost meanwhile is left alone: the step that
/// needs it refuses.
pub(super) async fn reseal(parts: &RecoveryParts, done: &BTreeMap<StepId, Facts>) -> Result<(), Failure> {
    let Some(facts) = done.iter().find_map(|(step, facts)| (step.as_str() == "take-ownership").then_some(facts)) else {
        return Ok(());
    };
    let claimed: Vec<Claimed> = facts.get(CLAIMED).map_err(Failure::NotApplied)?;
    all_of(claimed.iter().map(|one| async move {
        let head = parts.witness.ownership(&one.slice).await.map_err(Failure::NotApplied)?;
        let held = head.filter(|head| head.owner == parts.region && head.epoch == one.epoch);
        let Some(grant) = held else { return Ok(()) };
        let token = parts.token(&grant).map_err(Failure::NotApplied)?;
        let guard = parts.appends.guard(&one.slice).map_err(Failure::NotApplied)?;
        guard.seal(&token).await.map(drop)
    }))
    .await
}

//! Ownership: who may write a slice, as a chain of signed records.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::Error;
use crate::ids::{RegionId, RunId, SliceRef};
use crate::position::Cut;
use crate::signed::{Signed, Statement};
use crate::treaty::{TakeoverRule, Treaty};

/// Number of an ownership in the chain of its slice: the only number comparable across regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(u64);

impl Epoch {
    /// Before genesis; no record has it.
    pub const NONE: Self = Self(0);
    /// The genesis epoch.
    pub const GENESIS: Self = Self(1);

    /// Takes a number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The epoch of the next ownership.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who claims: the run, the digest of its plan and a nonce of this attempt, so that a probe after a
/// crash recognises its own claim and nobody else's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Claim {
    /// The run that claims.
    pub run: RunId,
    /// Digest of the run's plan.
    pub plan: Digest,
    /// Drawn once per run and slice, journalled before the claim is sent.
    pub nonce: Digest,
}

/// Why the change of owner was lawful.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Evidence {
    /// The first record of a slice.
    Genesis,
    /// The predecessor's ownership lease ran out on the challenger's own clock.
    LeaseRunOut {
        /// Revision of the lease on which the claim was conditional.
        lease_revision: u64,
        /// Last renewal sequence seen.
        last_sequence: u64,
        /// How long the challenger waited since it first saw that sequence, in nanoseconds.
        waited_nanos: u64,
        /// Ends of the mirrored logs of the slice at the successor.
        mirrored_ends: Cut,
    },
    /// The predecessor's guards were sealed and drained.
    Sealed {
        /// Ends of the predecessor's logs, from the receipt.
        ends: Cut,
    },
    /// An operator vouches that the predecessor is gone or isolated.
    Attested {
        /// Who, and on what ground.
        statement: String,
    },
}

impl Evidence {
    /// The waiting time, for evidence that has one.
    #[must_use]
    pub fn waited(&self) -> Option<Duration> {
        match self {
            Self::LeaseRunOut { waited_nanos, .. } => Some(Duration::from_nanos(*waited_nanos)),
            _ => None,
        }
    }
}

/// One link of a slice's ownership chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ownership {
    /// What is owned.
    pub slice: SliceRef,
    /// Who may write it.
    pub owner: RegionId,
    /// Number in the chain.
    pub epoch: Epoch,
    /// Digest of the previous record's signed bytes; zeros at genesis.
    pub previous: Digest,
    /// The region whose `local` key signs; always the owner.
    pub issuer: RegionId,
    /// The claim that made it; none at genesis.
    pub claim: Option<Claim>,
    /// Why it was lawful.
    pub evidence: Evidence,
}

impl Statement for Ownership {
    const PAYLOAD_TYPE: &'static str = "application/vnd.dcp.ownership+json";
}

impl Ownership {
    /// The first record of a slice.
    #[must_use]
    pub fn genesis(slice: SliceRef, owner: RegionId) -> Self {
        let issuer = owner.clone();
        Self {
            slice,
            owner,
            epoch: Epoch::GENESIS,
            previous: Digest::ZERO,
            issuer,
            claim: None,
            evidence: Evidence::Genesis,
        }
    }

    /// The record that follows `head`, with `successor` as owner and issuer.
    #[must_use]
    pub fn succeed(head: &Signed<Self>, successor: RegionId, claim: Claim, evidence: Evidence) -> Self {
        Self {
            slice: head.slice.clone(),
            owner: successor.clone(),
            epoch: head.epoch.next(),
            previous: head.digest(),
            issuer: successor,
            claim: Some(claim),
            evidence,
        }
    }
}

/// Whether `next` may follow `head` under `treaty`. Pure; the signature was checked before, by type.
///
/// Each record is judged by the treaty that is handed in, which must be the one under which it was
/// signed.
///
/// # Errors
/// `Conflict` if the chain has moved past what `next` was built on; `Refused` with the rule if the
/// owner, issuer or first epoch is not lawful, or (`unlawful-evidence`) if the scope's takeover rule
/// does not let the slice change hands on this evidence: a `leased` scope on a lease that was watched
/// for [`LeaseTerms::challenge_wait`](crate::lease::LeaseTerms::challenge_wait), an `attested` one on
/// an attestation, both on a seal that names the end of every log of the slice.
pub fn judge_succession(
    treaty: &Treaty,
    head: Option<&Signed<Ownership>>,
    next: &Signed<Ownership>,
) -> Result<(), Error> {
    let terms = treaty.scope(&next.slice.scope)?;
    terms.partitions_of(&next.slice.slice)?;
    if next.issuer != next.owner || !terms.may_own(&next.owner) {
        return Err(Error::refused(
            "unlawful-owner",
            format!("{}: {} may not own it, or {} signed for it", next.slice, next.owner, next.issuer),
        ));
    }
    match head {
        None => judge_genesis(terms.home(), next),
        Some(head) => {
            judge_follows(head, next)?;
            judge_evidence(treaty, head, next)
        }
    }
}

fn judge_evidence(treaty: &Treaty, head: &Signed<Ownership>, next: &Signed<Ownership>) -> Result<(), Error> {
    let rule = treaty.scope(&next.slice.scope)?.takeover();
    let what = match (&next.evidence, rule) {
        (Evidence::LeaseRunOut { waited_nanos, .. }, TakeoverRule::Leased) => {
            let (waited, wait) = (Duration::from_nanos(*waited_nanos), treaty.lease().challenge_wait());
            if waited >= wait {
                return Ok(());
            }
            format!("a lease that was watched for {waited:?}, less than {wait:?}")
        }
        (Evidence::Attested { .. }, TakeoverRule::Attested) => return Ok(()),
        (Evidence::Sealed { ends }, _) => {
            let logs = treaty.logs_of(&next.slice, &head.owner)?;
            let Some(missing) = logs.iter().find(|log| ends.get(log).is_none()) else { return Ok(()) };
            format!("a seal that does not name the end of {missing}")
        }
        (Evidence::LeaseRunOut { .. }, _) => "a lease that ran out".to_owned(),
        (Evidence::Attested { .. }, _) => "an attestation".to_owned(),
        (Evidence::Genesis, _) => "no evidence".to_owned(),
    };
    Err(Error::refused(
        "unlawful-evidence",
        format!("{}: its scope is {rule}; {what} does not move it to {}", next.slice, next.owner),
    ))
}

fn judge_genesis(home: &RegionId, next: &Signed<Ownership>) -> Result<(), Error> {
    let first = next.epoch == Epoch::GENESIS && next.previous == Digest::ZERO && next.evidence == Evidence::Genesis;
    if !first || &next.owner != home {
        return Err(Error::refused(
            "unlawful-genesis",
            format!("{}: the first record must give epoch 1 to the home region {home}", next.slice),
        ));
    }
    Ok(())
}

fn judge_follows(head: &Signed<Ownership>, next: &Signed<Ownership>) -> Result<(), Error> {
    if head.slice != next.slice {
        return Err(Error::invalid("other-slice", format!("{} cannot follow {}", next.slice, head.slice)));
    }
    if next.epoch != head.epoch.next() || next.previous != head.digest() {
        return Err(Error::conflict(
            "ownership-moved",
            format!(
                "{}: epoch {} of {} does not follow epoch {} of {}; read the chain again",
                next.slice, next.epoch, next.owner, head.epoch, head.owner
            ),
        ));
    }
    if next.evidence == Evidence::Genesis || next.claim.is_none() {
        return Err(Error::refused(
            "no-evidence",
            format!("{}: a change of owner needs a claim and evidence", next.slice),
        ));
    }
    Ok(())
}

/// Signed ownership: authorises data appends of its owner; survives elections.
pub type WriteGrant = Signed<Ownership>;

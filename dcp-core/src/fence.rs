//! Terms, fencing tokens, and the fence that judges them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::Error;
use crate::ids::{HolderId, RegionId, SliceRef};
use crate::ownership::{Epoch, WriteGrant};
use crate::signed::{Envelope, Keyring, Signed, Statement};

/// Who leads a control plane inside one region. Changes at every election and deploy.
///
/// `revision` is drawn by the election's store (etcd: the leader key's create revision;
/// `ZooKeeper`: the czxid). A counter inside the process, as often shown, is a bug: two processes
/// both give out 1, and a restart starts again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Term {
    /// The region.
    pub issuer: RegionId,
    /// The process that was elected.
    pub holder: HolderId,
    /// Drawn by the election's store; rises with every election of this issuer.
    pub revision: u64,
}

/// A term bound to one ownership, as signed by the issuer's `local` key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct TokenBinding {
    /// What the token is for.
    pub slice: SliceRef,
    /// The ownership's epoch.
    pub epoch: Epoch,
    /// Digest of the ownership record.
    pub ownership: Digest,
    /// The term.
    pub term: Term,
}

impl Statement for TokenBinding {
    const PAYLOAD_TYPE: &'static str = "application/vnd.dcp.token+json";
}

/// Ownership and term, both signed: authorises control operations on a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FencingToken {
    grant: WriteGrant,
    binding: Signed<TokenBinding>,
}

impl FencingToken {
    /// Joins a grant and a binding.
    ///
    /// # Errors
    /// `Invalid` if the binding is for another ownership or by another issuer.
    pub fn new(grant: WriteGrant, binding: Signed<TokenBinding>) -> Result<Self, Error> {
        let same = binding.slice == grant.slice
            && binding.epoch == grant.epoch
            && binding.ownership == grant.digest()
            && binding.term.issuer == grant.owner;
        if !same {
            return Err(Error::invalid(
                "token-of-another",
                format!("the term is not bound to epoch {} of {}", grant.epoch, grant.slice),
            ));
        }
        Ok(Self { grant, binding })
    }

    /// The ownership.
    #[must_use]
    pub fn grant(&self) -> &WriteGrant {
        &self.grant
    }

    /// The term.
    #[must_use]
    pub fn term(&self) -> &Term {
        &self.binding.term
    }

    /// What a fence compares.
    #[must_use]
    pub fn rank(&self) -> FenceRank {
        FenceRank {
            epoch: self.grant.epoch,
            issuer: self.binding.term.issuer.clone(),
            revision: self.binding.term.revision,
        }
    }

    /// For the wire.
    #[must_use]
    pub fn to_presented(&self) -> PresentedToken {
        PresentedToken { grant: self.grant.envelope().clone(), binding: self.binding.envelope().clone() }
    }
}

/// A token as it travels: not yet verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct PresentedToken {
    /// The signed ownership.
    pub grant: Envelope,
    /// The signed term binding.
    pub binding: Envelope,
}

impl PresentedToken {
    /// Checks both signatures.
    ///
    /// # Errors
    /// `Refused` if a signature does not verify, `Invalid` if the parts do not belong together.
    pub fn verify(&self, keyring: &Keyring) -> Result<FencingToken, Error> {
        FencingToken::new(keyring.open_by_issuer(&self.grant)?, keyring.open_by_issuer(&self.binding)?)
    }
}

/// What a fence compares: epoch, issuer and revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct FenceRank {
    /// Ownership epoch.
    pub epoch: Epoch,
    /// The term's region.
    pub issuer: RegionId,
    /// The term's revision; compares only within one issuer and epoch.
    pub revision: u64,
}

impl fmt::Display for FenceRank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {}, {} revision {}", self.epoch, self.issuer, self.revision)
    }
}

/// What the token is presented for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Purpose {
    /// To act.
    Attempt,
    /// To raise the fence.
    Seal,
}

/// What a fence says of a presented rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Judgement {
    /// Equal to the highest seen.
    Current,
    /// Higher: the fence must be raised, durably, before anything is forwarded.
    Raises,
    /// Lower: refuse.
    Stale,
    /// A newly elected leader of the same issuer and epoch with a lower revision: its election
    /// store was restored. Only a signed epoch bump cures it.
    RevisionRegressed,
    /// Two issuers in one epoch: refuse both, alarm.
    OtherIssuer,
}

/// The highest rank that a resource has seen, durable there. Never goes down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(Option<FenceRank>);

impl Fence {
    /// A fence that has seen nothing yet.
    #[must_use]
    pub const fn unset() -> Self {
        Self(None)
    }

    /// The highest rank seen.
    #[must_use]
    pub fn highest(&self) -> Option<&FenceRank> {
        self.0.as_ref()
    }

    /// Judges a whole token's rank. Pure.
    #[must_use]
    pub fn judge(&self, presented: &FenceRank, purpose: Purpose) -> Judgement {
        let Some(highest) = &self.0 else { return Judgement::Raises };
        if presented.epoch != highest.epoch {
            return if presented.epoch > highest.epoch { Judgement::Raises } else { Judgement::Stale };
        }
        if presented.issuer != highest.issuer {
            return Judgement::OtherIssuer;
        }
        match (presented.revision.cmp(&highest.revision), purpose) {
            (std::cmp::Ordering::Equal, _) => Judgement::Current,
            (std::cmp::Ordering::Greater, _) => Judgement::Raises,
            (std::cmp::Ordering::Less, Purpose::Attempt) => Judgement::Stale,
            (std::cmp::Ordering::Less, Purpose::Seal) => Judgement::RevisionRegressed,
        }
    }

    /// Judges a data append, which an election must not refuse: epoch and issuer only.
    #[must_use]
    pub fn judge_append(&self, grant: &WriteGrant) -> Judgement {
        let Some(highest) = &self.0 else { return Judgement::Raises };
        match grant.epoch.cmp(&highest.epoch) {
            std::cmp::Ordering::Less => Judgement::Stale,
            std::cmp::Ordering::Greater => Judgement::Raises,
            std::cmp::Ordering::Equal if grant.owner == highest.issuer => Judgement::Current,
            std::cmp::Ordering::Equal => Judgement::OtherIssuer,
        }
    }

    /// The fence after `presented` was accepted; never lower than before.
    #[must_use]
    pub fn raised(&self, presented: &FenceRank) -> Self {
        match self.judge(presented, Purpose::Seal) {
            Judgement::Raises => Self(Some(presented.clone())),
            _ => self.clone(),
        }
    }

    /// The refusal that goes with a judgement; none if it lets pass.
    #[must_use]
    pub fn refusal(&self, place: &dyn fmt::Display, presented: &FenceRank, judgement: Judgement) -> Option<Error> {
        let highest = self.0.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let sentence = format!("{place}: presented {presented}, highest seen {highest}");
        match judgement {
            Judgement::Current | Judgement::Raises => None,
            Judgement::Stale => Some(Error::fenced("stale", sentence)),
            Judgement::RevisionRegressed => Some(Error::fenced(
                "revision-regressed",
                format!("{sentence}; the election store was restored: sign a new epoch"),
            )),
            Judgement::OtherIssuer => {
                Some(Error::fenced("dual-claim", format!("{sentence}; two issuers in one epoch: both stay closed")))
            }
        }
    }
}

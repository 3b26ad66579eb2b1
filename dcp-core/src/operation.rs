//! Mandates and the operations that come from them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::fence::Term;
use crate::ids::{ResourceId, RunId, StepId};
use crate::position::Cut;

/// Names one intended effect: repeating it under the same key has no further effect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct OperationKey {
    /// The run.
    pub run: RunId,
    /// The step in it.
    pub step: StepId,
}

impl fmt::Display for OperationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.run, self.step)
    }
}

/// What a sealed resource answers: nothing below `token` was or will be let through after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct SealReceipt {
    /// What was sealed.
    pub resource: ResourceId,
    /// The rank it was sealed at.
    pub rank: crate::fence::FenceRank,
    /// Where the protected logs end; empty for a resource without logs.
    pub ends: Cut,
}

/// Confirmed leadership of one region's plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leadership {
    term: Term,
}

impl Leadership {
    /// For implementers of `LeaderElection`: leadership that a transaction on the leader's key has
    /// confirmed.
    #[must_use]
    pub fn confirmed(term: Term) -> Self {
        Self { term }
    }

    /// The term.
    #[must_use]
    pub fn term(&self) -> &Term {
        &self.term
    }
}

/// Leadership and seal receipts: the only source of an [`Operation`] outside tests.
#[derive(Debug, Clone)]
pub struct Mandate {
    leadership: Leadership,
    receipts: BTreeMap<ResourceId, SealReceipt>,
}

impl Mandate {
    /// A mandate without receipts: it authorises nothing yet.
    #[must_use]
    pub fn new(leadership: Leadership) -> Self {
        Self { leadership, receipts: BTreeMap::new() }
    }

    /// Adds a receipt that a guard gave.
    #[must_use]
    pub fn with_receipt(mut self, receipt: SealReceipt) -> Self {
        self.receipts.insert(receipt.resource.clone(), receipt);
        self
    }

    /// The term.
    #[must_use]
    pub fn term(&self) -> &Term {
        self.leadership.term()
    }

    /// The receipt of a resource, if it was sealed under this mandate.
    #[must_use]
    pub fn receipt(&self, resource: &ResourceId) -> Option<&SealReceipt> {
        self.receipts.get(resource)
    }

    /// An operation on a resource.
    ///
    /// # Errors
    /// `Refused` if the resource was not sealed under this mandate or was sealed by another
    /// issuer's term: seal it first.
    pub fn operation(&self, resource: &ResourceId, key: OperationKey) -> Result<Operation, Error> {
        let sealed = self.receipts.get(resource).is_some_and(|receipt| {
            receipt.rank.issuer == self.term().issuer && receipt.rank.revision == self.term().revision
        });
        if !sealed {
            return Err(Error::refused(
                "not-sealed",
                format!("{resource}: no seal receipt of this term; seal the guard first"),
            ));
        }
        Ok(Operation { key, term: self.term().clone() })
    }
}

/// Authority for one effect.
#[derive(Debug, Clone)]
pub struct Operation {
    key: OperationKey,
    term: Term,
}

impl Operation {
    /// For tests of an implementation: an operation without a mandate.
    #[cfg(feature = "test-util")]
    #[must_use]
    pub fn for_tests(key: OperationKey, term: Term) -> Self {
        Self { key, term }
    }

    /// The idempotency key.
    #[must_use]
    pub fn key(&self) -> &OperationKey {
        &self.key
    }

    /// The term under which it is done.
    #[must_use]
    pub fn term(&self) -> &Term {
        &self.term
    }
}

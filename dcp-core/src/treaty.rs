//! The treaty: what the regions have agreed to, signed by both. It does not hold the current owner.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::ids::{RegionId, ScopeId, SliceId, SliceRef};
use crate::lease::LeaseTerms;
use crate::log::LogId;
use crate::ports::state_store::WRITES_MAX;
use crate::signed::{Keyring, Role, Statement};

/// Most slices of a treaty, over all of its scopes. Whoever takes a region over claims all of its
/// slices in one commit at the witness, with a record and a head for each.
pub const SLICES_MAX: usize = WRITES_MAX / 2;

/// When a successor may take a slice over from an owner that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TakeoverRule {
    /// The owner works only under an ownership lease at the witness.
    Leased,
    /// An operator's signature; what the old side still acknowledges is counted and delivered late.
    Attested,
}

impl fmt::Display for TakeoverRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leased => "leased",
            Self::Attested => "attested",
        })
    }
}

/// What was agreed for one scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeTerms {
    home: RegionId,
    successors: Vec<RegionId>,
    takeover: TakeoverRule,
    partitions: u32,
    slices: BTreeMap<SliceId, BTreeSet<u32>>,
}

impl ScopeTerms {
    /// Terms of one scope.
    ///
    /// # Errors
    /// `Invalid` unless the slices cover the partitions `0..partitions`, each once, and the home
    /// is not its own successor.
    pub fn new(
        home: RegionId,
        successors: Vec<RegionId>,
        takeover: TakeoverRule,
        partitions: u32,
        slices: BTreeMap<SliceId, BTreeSet<u32>>,
    ) -> Result<Self, Error> {
        let terms = Self { home, successors, takeover, partitions, slices };
        terms.check()?;
        Ok(terms)
    }

    fn check(&self) -> Result<(), Error> {
        let mut covered: Vec<u32> = self.slices.values().flatten().copied().collect();
        covered.sort_unstable();
        if covered != (0..self.partitions).collect::<Vec<_>>() {
            return Err(Error::invalid(
                "bad-slices",
                format!(
                    "the slices of a scope at home in {} must cover its {} partitions, each once",
                    self.home, self.partitions
                ),
            ));
        }
        if self.successors.contains(&self.home) {
            return Err(Error::invalid("bad-successor", format!("{} cannot succeed itself", self.home)));
        }
        Ok(())
    }

    /// Home region.
    #[must_use]
    pub fn home(&self) -> &RegionId {
        &self.home
    }

    /// Takeover rule.
    #[must_use]
    pub fn takeover(&self) -> TakeoverRule {
        self.takeover
    }

    /// Number of partitions.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.partitions
    }

    /// The slices, each with its partitions.
    #[must_use]
    pub fn slices(&self) -> &BTreeMap<SliceId, BTreeSet<u32>> {
        &self.slices
    }

    /// Whether a region may own slices of it.
    #[must_use]
    pub fn may_own(&self, region: &RegionId) -> bool {
        &self.home == region || self.successors.contains(region)
    }

    /// Regions that may own it: the home, then the successors.
    pub fn regions(&self) -> impl Iterator<Item = &RegionId> {
        std::iter::once(&self.home).chain(&self.successors)
    }

    /// Partitions of a slice.
    ///
    /// # Errors
    /// `Invalid` for a slice that the scope does not have.
    pub fn partitions_of(&self, slice: &SliceId) -> Result<&BTreeSet<u32>, Error> {
        self.slices
            .get(slice)
            .ok_or_else(|| Error::invalid("unknown-slice", format!("the treaty has no slice {slice}")))
    }

    /// The slice that a partition belongs to.
    ///
    /// # Errors
    /// `Invalid` for a partition that the scope does not have.
    pub fn slice_of(&self, partition: u32) -> Result<&SliceId, Error> {
        self.slices
            .iter()
            .find_map(|(slice, partitions)| partitions.contains(&partition).then_some(slice))
            .ok_or_else(|| Error::invalid("unknown-partition", format!("the treaty has no partition {partition}")))
    }
}

/// What the regions have agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Treaty {
    version: u64,
    scopes: BTreeMap<ScopeId, ScopeTerms>,
    lease: LeaseTerms,
    keyring: Keyring,
}

impl Statement for Treaty {
    const PAYLOAD_TYPE: &'static str = "application/vnd.dcp.treaty+json";
}

impl Treaty {
    /// Builds and checks a treaty.
    ///
    /// # Errors
    /// `Invalid` with the place: slices that do not cover their scope, more than [`SLICES_MAX`] of
    /// them, a region without keys, keys of another role than their place's, a threshold that cannot
    /// be met, or lease terms out of range.
    pub fn new(
        version: u64,
        scopes: BTreeMap<ScopeId, ScopeTerms>,
        lease: LeaseTerms,
        keyring: Keyring,
    ) -> Result<Self, Error> {
        let treaty = Self { version, scopes, lease, keyring };
        treaty.check()?;
        Ok(treaty)
    }

    /// Checks a treaty that was read.
    ///
    /// # Errors
    /// As [`Treaty::new`].
    pub fn check(&self) -> Result<(), Error> {
        self.lease.check()?;
        let slices: usize = self.scopes.values().map(|terms| terms.slices.len()).sum();
        if slices > SLICES_MAX {
            return Err(Error::invalid(
                "too-many-slices",
                format!("{slices} slices over all scopes, at most {SLICES_MAX}: a takeover claims them in one commit"),
            ));
        }
        for (region, set) in &self.keyring.local {
            set.check_role(Role::Local).map_err(|error| error.at(region))?;
        }
        self.keyring.cross.check_role(Role::Cross)?;
        for (scope, terms) in &self.scopes {
            terms.check().map_err(|error| error.at(scope))?;
            for region in terms.regions() {
                self.keyring.local(region).map_err(|error| error.at(scope))?.check()?;
            }
        }
        self.keyring.cross.check()
    }

    /// Version, rising.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// All scopes.
    #[must_use]
    pub fn scopes(&self) -> &BTreeMap<ScopeId, ScopeTerms> {
        &self.scopes
    }

    /// Terms of one scope.
    ///
    /// # Errors
    /// `Invalid` for a scope that the treaty does not have.
    pub fn scope(&self, scope: &ScopeId) -> Result<&ScopeTerms, Error> {
        self.scopes
            .get(scope)
            .ok_or_else(|| Error::invalid("unknown-scope", format!("the treaty has no scope {scope}")))
    }

    /// Terms of the ownership leases.
    #[must_use]
    pub fn lease(&self) -> &LeaseTerms {
        &self.lease
    }

    /// The keys.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Every region that some scope names.
    #[must_use]
    pub fn regions(&self) -> BTreeSet<RegionId> {
        self.scopes.values().flat_map(ScopeTerms::regions).cloned().collect()
    }

    /// Every slice of every scope.
    #[must_use]
    pub fn slices(&self) -> Vec<SliceRef> {
        self.scopes
            .iter()
            .flat_map(|(scope, terms)| terms.slices.keys().map(|slice| SliceRef::new(scope.clone(), slice.clone())))
            .collect()
    }

    /// The logs that `origin` writes while it owns a slice.
    ///
    /// # Errors
    /// `Invalid` for a scope or slice that the treaty does not have.
    pub fn logs_of(&self, slice: &SliceRef, origin: &RegionId) -> Result<Vec<LogId>, Error> {
        let partitions = self.scope(&slice.scope)?.partitions_of(&slice.slice)?;
        Ok(partitions.iter().map(|partition| LogId::new(slice.scope.clone(), origin.clone(), *partition)).collect())
    }

    /// Every user log of one origin, over all scopes that it may own.
    #[must_use]
    pub fn logs_by_origin(&self, origin: &RegionId) -> Vec<LogId> {
        let lawful = self.scopes.iter().filter(|(_, terms)| terms.may_own(origin));
        lawful
            .flat_map(|(scope, terms)| {
                (0..terms.partitions).map(|partition| LogId::new(scope.clone(), origin.clone(), partition))
            })
            .collect()
    }

    /// How long a lease is granted for.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.lease.ttl()
    }
}

#[cfg(test)]
mod tests;

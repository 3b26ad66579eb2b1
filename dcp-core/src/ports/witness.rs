//! The third place that orders takeovers: ownership chains and ownership leases.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Failure};
use crate::ids::{RegionId, SliceRef};
use crate::ownership::{Epoch, WriteGrant};
use crate::ports::event_store::StoreIdentity;

/// One renewal of all ownership leases of a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeaseRenewal {
    /// The region.
    pub region: RegionId,
    /// The slices it holds, each with its epoch.
    pub slices: BTreeMap<SliceRef, Epoch>,
    /// Its event store, so that a restored backup is noticed.
    pub store: StoreIdentity,
}

impl LeaseRenewal {
    /// A renewal.
    #[must_use]
    pub fn new(region: RegionId, slices: BTreeMap<SliceRef, Epoch>, store: StoreIdentity) -> Self {
        Self { region, slices, store }
    }
}

/// What the witness holds of a region's lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct LeaseReading {
    /// Rises with every renewal.
    pub sequence: u64,
    /// The commit that wrote it; a claim is conditional on it.
    pub revision: u64,
    /// What was renewed.
    pub renewal: LeaseRenewal,
}

/// Holds the ownership chains and leases. Needs no clock: the challenger times a lease.
#[async_trait]
pub trait Witness: fmt::Debug + Send + Sync + 'static {
    /// Head of a slice's chain; none before genesis.
    ///
    /// # Errors
    /// `Retry` if the witness cannot be reached; `Corrupt` if the head does not verify.
    async fn ownership(&self, slice: &SliceRef) -> Result<Option<WriteGrant>, Error>;

    /// The whole chain of a slice, oldest first.
    ///
    /// # Errors
    /// As [`Witness::ownership`].
    async fn chain(&self, slice: &SliceRef) -> Result<Vec<WriteGrant>, Error>;

    /// A region's lease; none before its first renewal.
    ///
    /// # Errors
    /// `Retry` if the witness cannot be reached.
    async fn lease(&self, region: &RegionId) -> Result<Option<LeaseReading>, Error>;

    /// Renews all of a region's leases in one conditional write.
    ///
    /// # Errors
    /// `NotApplied(Fenced)` if the region no longer owns one of the slices at that epoch: read the
    /// chains. `NotApplied(Refused)` (`store-went-back`) if the store is older than at an earlier
    /// renewal. `InDoubt`: renew again; an unanswered renewal prolongs nothing.
    async fn renew(&self, renewal: &LeaseRenewal) -> Result<LeaseReading, Failure>;

    /// Appends signed records to their chains, all or none: the claim of a takeover, a planned
    /// move, or genesis. `lease` is the predecessor's lease revision on which the claim is
    /// conditional, where the evidence is a lease that ran out.
    ///
    /// Idempotent by the records' claims: a record that is the head already counts as appended.
    ///
    /// # Errors
    /// `NotApplied(Conflict)` if a chain or the lease has moved; `InDoubt`: read the chains and
    /// compare run, plan and nonce.
    async fn claim(&self, records: &[WriteGrant], lease: Option<(&RegionId, u64)>) -> Result<(), Failure>;
}

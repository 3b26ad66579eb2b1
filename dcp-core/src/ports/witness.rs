//! The third place that orders takeovers: ownership chains and ownership leases.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::{Error, Failure};
use crate::ids::{RegionId, SliceRef};
use crate::log::LogId;
use crate::ownership::{Epoch, WriteGrant};
use crate::ports::event_store::StoreIdentity;
use crate::position::PrefixDigest;

/// What a region's stores held when a renewal was sent: the next renewal must show it.
///
/// Both parts are durable in the region before the renewal is sent, so that a sound store can show
/// them whether or not the renewal was answered; a store that was restored to an earlier moment, lost
/// or replaced never can, however much it writes afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Kept {
    /// Of the event store: count and ordered digest of logs that no renewal leaves as they were,
    /// such as the companion logs after their heartbeat.
    pub prefixes: BTreeMap<LogId, PrefixDigest>,
    /// Of the state store: a mark that was drawn for this renewal.
    pub mark: Option<Digest>,
}

impl Kept {
    /// These prefixes of the event store and this mark of the state store.
    #[must_use]
    pub fn new(prefixes: BTreeMap<LogId, PrefixDigest>, mark: Option<Digest>) -> Self {
        Self { prefixes, mark }
    }

    /// Whether there is nothing that a later renewal must show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty() && self.mark.is_none()
    }
}

/// What a region's stores show of an earlier renewal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Shown {
    /// Sequence of the renewal that it is shown of; none if the region has read that there is none.
    pub since: Option<u64>,
    /// The event store's prefixes at the counts that were kept then; a log that is shorter is left
    /// out.
    pub prefixes: BTreeMap<LogId, PrefixDigest>,
    /// Every mark that the state store holds.
    pub marks: Vec<Digest>,
}

impl Shown {
    /// What is shown of the renewal with this sequence.
    #[must_use]
    pub fn new(since: Option<u64>, prefixes: BTreeMap<LogId, PrefixDigest>, marks: Vec<Digest>) -> Self {
        Self { since, prefixes, marks }
    }
}

/// One renewal of all ownership leases of a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeaseRenewal {
    /// The region.
    pub region: RegionId,
    /// The slices it holds, each with its epoch.
    pub slices: BTreeMap<SliceRef, Epoch>,
    /// Its event store.
    pub store: StoreIdentity,
    /// What its stores hold now.
    pub kept: Kept,
    /// What they show of the renewal before.
    pub shown: Shown,
}

impl LeaseRenewal {
    /// A renewal that keeps and shows nothing: a restored backup is noticed by the number of its
    /// commits alone, and only while that is lower.
    #[must_use]
    pub fn new(region: RegionId, slices: BTreeMap<SliceRef, Epoch>, store: StoreIdentity) -> Self {
        Self { region, slices, store, kept: Kept::default(), shown: Shown::default() }
    }

    /// With what the region's stores keep for the next renewal, and show of the last one.
    #[must_use]
    pub fn with_continuity(mut self, kept: Kept, shown: Shown) -> Self {
        self.kept = kept;
        self.shown = shown;
        self
    }
}

/// What the witness holds of a region's lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeaseReading {
    /// Rises with every renewal.
    pub sequence: u64,
    /// The commit that wrote it; a claim is conditional on it.
    pub revision: u64,
    /// The slices that were renewed, each with its epoch.
    pub slices: BTreeMap<SliceRef, Epoch>,
    /// The event store that renewed.
    pub store: StoreIdentity,
    /// What the next renewal must show.
    pub kept: Kept,
    /// Whether an operator has said, since the last renewal, that the region's stores are to be
    /// taken as they are: the next renewal then shows nothing.
    pub readmitted: bool,
}

impl LeaseReading {
    /// What the witness holds after a renewal.
    #[must_use]
    pub fn of(renewal: &LeaseRenewal, sequence: u64, revision: u64) -> Self {
        Self {
            sequence,
            revision,
            slices: renewal.slices.clone(),
            store: renewal.store,
            kept: renewal.kept.clone(),
            readmitted: false,
        }
    }

    /// What the next renewal must show; nothing if an operator has readmitted the region.
    #[must_use]
    pub fn remembered(&self) -> Option<&Kept> {
        (!self.readmitted).then_some(&self.kept)
    }
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
    /// chains. `NotApplied(Refused)` if a store of the region cannot show what was kept at the last
    /// renewal: `store-went-back` is the event store, `state-went-back` the state store. That stays
    /// so until an operator readmits the region. `NotApplied(Conflict)` (`other-renewal`) if it is
    /// shown of another renewal than the last: read the lease and renew again. `InDoubt`: renew
    /// again; an unanswered renewal prolongs nothing.
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

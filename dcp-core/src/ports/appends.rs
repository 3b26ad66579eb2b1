//! The append endpoint of a region: what producers call.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Failure};
use crate::event::NewEvent;
use crate::ids::{RegionId, ScopeId, SliceRef};
use crate::ownership::{Epoch, WriteGrant};
use crate::ports::event_store::Appended;
use crate::signed::Envelope;

/// Events of one partition for the current owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AppendRequest {
    /// The scope.
    pub scope: ScopeId,
    /// The partition.
    pub partition: u32,
    /// The ownership epoch that the producer believes in; another one is refused, so that a
    /// producer never writes under an epoch it has not seen.
    pub epoch: Epoch,
    /// The events, in order; appended together or not at all.
    pub events: Vec<NewEvent>,
    /// The grant that a caller claims to act under, where it is not the region's own.
    pub grant: Option<Envelope>,
}

impl AppendRequest {
    /// A request under the region's own grant.
    #[must_use]
    pub fn new(scope: ScopeId, partition: u32, epoch: Epoch, events: Vec<NewEvent>) -> Self {
        Self { scope, partition, epoch, events, grant: None }
    }

    /// Under a grant of the caller's.
    #[must_use]
    pub fn under(mut self, grant: Envelope) -> Self {
        self.grant = Some(grant);
        self
    }
}

/// Appends as owner, behind the slice's guard and its ownership lease.
///
/// The lease is checked before the write (run out: not applied) and again after the durable
/// commit (run out: in doubt, never acknowledged).
#[async_trait]
pub trait Appends: fmt::Debug + Send + Sync + 'static {
    /// The region that answers.
    fn region(&self) -> &RegionId;

    /// The newest signed ownership of a slice that this region knows.
    ///
    /// # Errors
    /// `Invalid` for an unknown slice; `Retry` if none is known yet.
    async fn ownership(&self, slice: &SliceRef) -> Result<WriteGrant, Error>;

    /// Appends durably.
    ///
    /// # Errors
    /// `NotApplied(Fenced)`: another epoch or owner; ask for the ownership and send there.
    /// `NotApplied(Retry)`: closed for now. `InDoubt`: send the same events again, to the current
    /// owner, before any newer one of the partition.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call is in doubt.
    async fn append(&self, request: AppendRequest) -> Result<Appended, Failure>;
}

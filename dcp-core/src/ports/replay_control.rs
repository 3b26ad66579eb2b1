//! Steering of a region's projections.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Failure};
use crate::ids::ProjectionId;
use crate::log::LogId;
use crate::operation::Operation;
use crate::position::Cut;

/// How often a projection met each kind of delivery, since its read model was begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeliveryCounts {
    /// Events applied in order.
    pub new: u64,
    /// Events met again at or below their stream's mark, with equal content; dropped.
    pub redelivered: u64,
    /// Events that another log of the scope had already brought, with equal content; dropped.
    pub copy: u64,
    /// Events of an older epoch than one already applied.
    pub late: u64,
    /// Events that contradict one already applied; each stopped the projection.
    pub conflict: u64,
    /// Events after a gap, or already in the model above their mark; each stopped the projection.
    pub applied_ahead: u64,
}

/// What the projections of a region say of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReplayStatus {
    /// Records applied per projection and log.
    pub applied: BTreeMap<ProjectionId, BTreeMap<LogId, u64>>,
    /// Streams marked dirty by late events, per projection.
    pub dirty: BTreeMap<ProjectionId, u64>,
    /// Why a projection stopped, with both digests.
    pub stopped: BTreeMap<ProjectionId, String>,
    /// What each projection said of the events that it met.
    pub deliveries: BTreeMap<ProjectionId, DeliveryCounts>,
}

impl ReplayStatus {
    /// Nothing applied yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether every projection has applied every log of the cut up to its count.
    #[must_use]
    pub fn reached(&self, cut: &Cut) -> bool {
        self.applied
            .values()
            .all(|logs| cut.iter().all(|(log, end)| logs.get(log).copied().unwrap_or(0) >= end.prefix.count))
    }
}

/// Projections of one region. The replay path holds no effect port: replay cannot send anything.
#[async_trait]
pub trait ReplayControl: fmt::Debug + Send + Sync + 'static {
    /// How far they are.
    ///
    /// # Errors
    /// `Retry` if their state cannot be read now.
    async fn status(&self) -> Result<ReplayStatus, Error>;

    /// Folds every dirty stream again, once, in canonical order up to the cut.
    ///
    /// Idempotent: with no dirty stream it does nothing; `status` shows when it took.
    ///
    /// # Errors
    /// `NotApplied(Conflict)` if a projection has not applied the cut yet; `InDoubt`: read the status.
    async fn refold(&self, operation: &Operation, cut: &Cut) -> Result<(), Failure>;
}

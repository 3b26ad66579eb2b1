//! Replication of logs from one region to another.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Failure};
use crate::ids::{LinkId, RegionId};
use crate::log::LogId;
use crate::operation::Operation;
use crate::position::{Cut, PrefixDigest};

/// State of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LinkState {
    /// Copies.
    Active,
    /// Copies nothing.
    Paused,
    /// Copies up to a cut and no further, while the source is staged closed.
    ReadOnlyStaging,
    /// Stopped by itself: divergence or another incarnation. Only an operator's decision ends it.
    Failed,
}

/// What a link shall do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LinkDesire {
    /// The state; never `Failed`.
    pub state: LinkState,
    /// With `ReadOnlyStaging`: the ends of the source's logs at which to stop.
    pub until: Option<Cut>,
}

impl LinkDesire {
    /// Copy.
    #[must_use]
    pub fn active() -> Self {
        Self { state: LinkState::Active, until: None }
    }

    /// Copy nothing.
    #[must_use]
    pub fn paused() -> Self {
        Self { state: LinkState::Paused, until: None }
    }

    /// Copy exactly up to these ends.
    #[must_use]
    pub fn staging(until: Cut) -> Self {
        Self { state: LinkState::ReadOnlyStaging, until: Some(until) }
    }
}

/// How far one log was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct LogProgress {
    /// The mirror's prefix.
    pub applied: PrefixDigest,
    /// The source's count as last named by it (heartbeat or read); at least `applied.count`.
    pub source_count: u64,
}

impl LogProgress {
    /// Records known at the source and not here.
    #[must_use]
    pub fn lag_records(&self) -> u64 {
        self.source_count.saturating_sub(self.applied.count)
    }
}

/// What a link says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LinkStatus {
    /// Present state.
    pub state: LinkState,
    /// With `ReadOnlyStaging`: whether every named end was reached.
    pub reached: bool,
    /// Per log.
    pub logs: BTreeMap<LogId, LogProgress>,
    /// How long ago, at the most and on the local monotonic clock, the newest applied heartbeat was
    /// written; none before the first of which that is known.
    pub heartbeat_age: Option<Duration>,
    /// Whether the source answered the last call.
    pub connected: bool,
    /// Why it is `Failed`, with both digests.
    pub failure: Option<String>,
}

impl LinkStatus {
    /// A status without logs.
    #[must_use]
    pub fn new(state: LinkState) -> Self {
        Self { state, reached: false, logs: BTreeMap::new(), heartbeat_age: None, connected: false, failure: None }
    }

    /// Records known at the source and not here, over all logs.
    #[must_use]
    pub fn lag_records(&self) -> u64 {
        self.logs.values().map(LogProgress::lag_records).sum()
    }
}

/// What may be missing of one log at a takeover.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Exposure {
    /// A bound: nothing that the source held longer ago than this is missing, on the local monotonic
    /// clock. None if none is known: no read of the source was caught up with since this process
    /// began.
    pub declared_seconds: Option<f64>,
    /// An estimate: records the source was last known to have, and that are not here. What the
    /// source took after it was last heard is not in it.
    pub declared_records: u64,
}

/// Copies the logs of one origin into this region's store. Runs here and pulls from there.
///
/// # Contract
/// - **L1** The mirror is a prefix of the source at every moment: same records, same order, same
///   bytes, none missing, none twice.
/// - **L2** After a crash, or an unknown outcome of a copy, it goes on where the mirror stands:
///   nothing is copied twice, nothing is skipped.
/// - **L3** Paused, it copies nothing, also after a restart; active again, it goes on.
/// - **L4** `ReadOnlyStaging` copies exactly up to the named ends, says when they are reached, and
///   copies nothing beyond.
/// - **L5** A source of another incarnation, shorter than the mirror, or with another prefix stops
///   the log: `Failed`, with both digests, nothing overwritten.
/// - **L6** Two workers of one link never both copy: the later fences the earlier.
/// - **L7** Lag in seconds rises while no heartbeat arrives, by the local clock, whatever the source's
///   clock says; heartbeats that arrive late and together are no younger for it.
/// - **L8** A desire set by a lower term than one already seen is refused with `Fenced`.
/// - **L9** It copies only logs whose origin is its source region, so that loops cannot form.
/// - **L10** While the local store does not answer (`Retry`), at whichever of its calls, it waits; then it
///   goes on where the mirror stands.
#[async_trait]
pub trait MirrorLink: fmt::Debug + Send + Sync + 'static {
    /// Its name.
    fn id(&self) -> &LinkId;

    /// The region it copies from.
    fn source(&self) -> &RegionId;

    /// What it does and how far it is.
    ///
    /// # Errors
    /// `Retry` if its state cannot be read now.
    async fn status(&self) -> Result<LinkStatus, Error>;

    /// What would be declared as the recovery point if the source were lost now, per log.
    ///
    /// # Errors
    /// `Retry` if its state cannot be read now.
    async fn exposure(&self) -> Result<BTreeMap<LogId, Exposure>, Error>;

    /// Sets what it shall do, durably; `status` shows when it took.
    ///
    /// # Errors
    /// `NotApplied(Fenced)` below a term already seen; `InDoubt`: read the status.
    async fn set_desire(&self, operation: &Operation, desire: LinkDesire) -> Result<(), Failure>;

    /// Comparison of the mirror with a cut of the source, where the link has it.
    fn parity(&self) -> Option<&dyn ParityCheck> {
        None
    }
}

/// What a comparison found, per log of the cut and at the cut's count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct ParityReport {
    /// Logs that agree at the cut, with the prefix.
    pub equal: BTreeMap<LogId, PrefixDigest>,
    /// Logs that do not: the source's prefix as the cut names it, and ours; none where the mirror is
    /// shorter.
    pub divergent: BTreeMap<LogId, (PrefixDigest, Option<PrefixDigest>)>,
}

/// Compares the mirror with a cut of the source (its ends, or a seal receipt), by count and ordered
/// digest. The cut is the source's own statement, so that the source is not asked again and parity
/// can be told while it is dark.
#[async_trait]
pub trait ParityCheck: fmt::Debug + Send + Sync {
    /// Compares the logs of the cut at the cut's counts.
    ///
    /// # Errors
    /// `Invalid` for a log that the link does not copy; else what the local store says.
    async fn compare(&self, cut: &Cut) -> Result<ParityReport, Error>;
}

//! What is remembered of each stream, so that memory is bounded by streams and not by events.

use std::collections::BTreeMap;

use dcp_core::event::{StreamId, Version};
use dcp_core::ids::{RegionId, ScopeId};
use dcp_core::ownership::Epoch;
use serde::{Deserialize, Serialize};

/// How far one origin's events of a stream have been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub(crate) struct OriginMark {
    /// Version of the last one.
    pub version: Version,
    /// Its epoch.
    pub epoch: Epoch,
}

impl OriginMark {
    /// Before the first event.
    pub(crate) const NONE: Self = Self { version: Version::NONE, epoch: Epoch::NONE };
}

/// What a projection remembers of one stream of a scope.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub(crate) struct StreamMark {
    /// The one partition in which the stream lives; none before its first event.
    pub partition: Option<u32>,
    /// Highest epoch of an event applied, from whatever origin.
    pub highest: Option<Epoch>,
    /// Whether the rows are out of order until the next refold.
    pub dirty: bool,
    /// How far each origin's events are applied.
    pub origins: BTreeMap<RegionId, OriginMark>,
}

impl StreamMark {
    /// How far one origin's events are applied.
    #[must_use]
    pub(crate) fn origin(&self, origin: &RegionId) -> OriginMark {
        self.origins.get(origin).copied().unwrap_or(OriginMark::NONE)
    }
}

/// Marks of all streams of a projection.
pub(crate) type Marks = BTreeMap<ScopeId, BTreeMap<StreamId, StreamMark>>;

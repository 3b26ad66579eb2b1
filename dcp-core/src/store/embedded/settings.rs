//! Where a store lives, and its bounds.

use std::path::PathBuf;
use std::sync::Arc;

use crate::clock::Entropy;
use crate::embedded::{Content, GroupCommit};
use crate::ids::RegionId;

/// Where an [`EmbeddedEventStore`](super::EmbeddedEventStore) lives, and its bounds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EmbeddedEventSettings {
    /// The file; created if it is not there. Its directory must exist.
    pub path: PathBuf,
    /// The region whose store it is; another region's file is refused.
    pub region: RegionId,
    /// Gives a new store its incarnation; an existing one keeps its own. The source must never
    /// repeat itself, also not after a restart: two stores of one incarnation could not be told
    /// apart.
    pub entropy: Arc<dyn Entropy>,
    /// Bytes of pages held in memory; the process grows by about this much. 32 MiB by default.
    pub cache_bytes: usize,
    /// Bounds of a group commit.
    pub group: GroupCommit,
}

impl EmbeddedEventSettings {
    /// This file of this region, with the default bounds.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, region: RegionId, entropy: Arc<dyn Entropy>) -> Self {
        Self { path: path.into(), region, entropy, cache_bytes: 32 << 20, group: GroupCommit::default() }
    }

    /// With another cache size.
    #[must_use]
    pub fn with_cache_bytes(mut self, cache_bytes: usize) -> Self {
        self.cache_bytes = cache_bytes;
        self
    }

    /// With other bounds of a group commit.
    #[must_use]
    pub fn with_group(mut self, group: GroupCommit) -> Self {
        self.group = group;
        self
    }

    pub(crate) fn content(&self) -> Content {
        Content { kind: "events", region: self.region.clone() }
    }
}

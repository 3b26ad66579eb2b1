//! A [`StoreLink`] as the clauses want it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dcp_core::clock::{Moment, SeededEntropy};
use dcp_core::ids::ScopeId;
use dcp_core::log::LogId;
use dcp_core::ports::EventStore;
use dcp_core::testing::fixtures::west;
use dcp_core::testing::mirror_link::{LinkParts, MirrorLinkFixture, StartedLink};
use dcp_core::{Error, Failure};
use dcp_mirror::{HeartbeatWriter, LinkPorts, LinkSettings, StoreLink};
use tokio_util::sync::CancellationToken;

/// A link with small batches, so that each clause copies several.
pub(crate) fn store_link(parts: LinkParts) -> Result<Arc<StoreLink>, Error> {
    let settings = LinkSettings::new(parts.id, parts.source_region, parts.logs)?
        .with_batch(4, 4 << 20)
        .with_lanes(2)
        .with_backoff(Duration::from_millis(50), Duration::from_millis(400));
    let LinkParts { source, local, state, clock, entropy, .. } = parts;
    Ok(Arc::new(StoreLink::new(settings, LinkPorts { source, local, state, clock, entropy })?))
}

pub(crate) struct StoreFixture;

#[async_trait]
impl MirrorLinkFixture for StoreFixture {
    fn start(parts: LinkParts, stop: CancellationToken) -> Result<StartedLink, Error> {
        let link = store_link(parts)?;
        let running = Arc::clone(&link);
        Ok(StartedLink { link, worker: Box::pin(async move { running.run(stop).await }) })
    }

    async fn beat(source: Arc<dyn EventStore>, owned: BTreeSet<LogId>, _source_now: Moment) -> Result<(), Failure> {
        let scopes: BTreeSet<ScopeId> = owned.iter().map(|log| log.scope().clone()).collect();
        let marks = Arc::new(SeededEntropy::new(1, "marks"));
        let writer = HeartbeatWriter::new(source, west(), scopes, marks).map_err(Failure::NotApplied)?;
        writer.beat(&owned).await.map(drop)
    }
}

//! Mirror links between regional event stores: copied exactly once, compared at a cut.
//!
//! # Promise
//! A log has one writer for ever, so that mirroring is copying. A [`StoreLink`] pulls the logs of
//! one origin region from that region's event store into the local one:
//! - the mirror is a prefix of the source at every moment, through crashes and unknown outcomes: a
//!   batch and the place to go on from are one commit, and a batch lands only on the prefix it
//!   follows;
//! - a source that was re-created, truncated or holds other records stops the link with both
//!   digests, durably; nothing is overwritten and nothing jumps;
//! - what the link shall do is durable, and a lower term cannot change it;
//! - lag in seconds comes from the source's own heartbeats and the local clock alone, so that
//!   silence is lag; however late a batch of heartbeats arrives, none counts as younger than it can be.
//!
//! # Limits
//! - A failure of one log stops the whole link: its state has one value. An operator releases it
//!   with [`StoreLink::release`], and the link compares again before it copies.
//! - While a link is paused or staging, heartbeats are copied no more than other records, unless
//!   the staging cut names their companion logs: a companion is a log like any other, and "copies
//!   nothing beyond" has no exception. The lag in seconds rises meanwhile.
//! - When the source was read is known only within one process: after a restart the age of the
//!   newest heartbeat is unknown until one is applied that the first read did not show, and
//!   [`Exposure::declared_seconds`] until the mirror holds all that one read showed.
//! - The bytes of a log that lag are not measured, only records and seconds.
//! - A link that finds no cursor of its own, or one that disagrees with the mirror, trusts the
//!   mirror, compares its prefix with the source, and reads the source from its start up to there.
//!
//! # First program
//! ```
//! use std::collections::BTreeSet;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use dcp_core::clock::{SeededEntropy, TokioClock};
//! use dcp_core::ids::RegionId;
//! use dcp_core::log::LogId;
//! use dcp_core::memory::{MemoryEventStore, MemoryStateStore};
//! use dcp_core::ports::{EventSourceExt as _, MirrorLink as _};
//! use dcp_core::position::LogIncarnation;
//! use dcp_mirror::{HeartbeatWriter, LinkPorts, LinkSettings, StoreLink};
//! use tokio_util::sync::CancellationToken;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (west, east): (RegionId, RegionId) = ("west".parse()?, "east".parse()?);
//! let source = Arc::new(MemoryEventStore::new(west.clone(), LogIncarnation::from_bytes([1; 16])));
//! let local = Arc::new(MemoryEventStore::new(east, LogIncarnation::from_bytes([2; 16])));
//!
//! // The west writes heartbeats for what it owns; here it owns nothing yet.
//! let orders: LogId = "orders@west/0".parse()?;
//! let marks = Arc::new(SeededEntropy::new(5, "marks"));
//! let beats = HeartbeatWriter::new(source.clone(), west.clone(), [orders.scope().clone()], marks)?;
//!
//! // The east pulls.
//! let ports = LinkPorts {
//!     source,
//!     local: local.clone(),
//!     state: Arc::new(MemoryStateStore::new()),
//!     clock: Arc::new(TokioClock::new()),
//!     entropy: Arc::new(SeededEntropy::new(4, "link")),
//! };
//! let link = StoreLink::new(LinkSettings::new("west-east".parse()?, west.clone(), [orders.clone()])?, ports)?;
//! let stop = CancellationToken::new();
//! let companion = LogId::heartbeats(orders.scope(), &west)?;
//! let watch = async {
//!     while link.status().await?.heartbeat_age.is_none() {
//!         beats.beat(&BTreeSet::new()).await.map_err(|failure| dcp_core::Error::stopped("beat", failure.to_string()))?;
//!         tokio::time::sleep(Duration::from_millis(1)).await;
//!     }
//!     stop.cancel();
//!     local.end(&companion).await
//! };
//! let (ran, end) = tokio::join!(link.run(stop.clone()), watch);
//! ran?;
//! assert!(end?.prefix.count > 0);
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//! - [`StoreLink`]: the link; [`LinkSettings`], [`LinkPorts`].
//! - [`Heartbeat`], [`HeartbeatWriter`]: what a region says of its own logs.
//! - [`LagBudget`]: what lag means for health; [`Exposure`]: what a takeover declares.
//! - The module [`telemetry`] holds names.
//! - Pure inside: `state_machine` (operations on the durable state), `decide` (what to copy), `lag`,
//!   `throttle`, `backoff`.

mod backoff;
mod cursor;
mod decide;
mod heartbeat;
mod lag;
mod lanes;
mod parity;
mod settings;
mod state_machine;
mod store_link;
pub mod telemetry;
mod throttle;

pub use dcp_core::ports::{Exposure, LinkDesire, LinkState, LinkStatus, MirrorLink, ParityCheck, ParityReport};
pub use heartbeat::{EVENT_TYPE, Heartbeat, HeartbeatWriter, STREAM};
pub use lag::{LagBudget, LagExcess};
pub use settings::{LANES_MAX, LOGS_MAX, LinkSettings};
pub use store_link::{LinkPorts, StoreLink};

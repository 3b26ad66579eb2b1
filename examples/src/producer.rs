//! A producer: sends the order lines that are at home in one region to whoever owns them, and keeps
//! evidence of every answer that it counted.
//!
//! ```text
//! lines by partition ──> one batch in flight each ──> owner of the slice, by the highest signed epoch
//!         ^ gate                     │ counted                 │ late, or outcome unknown
//!         └──── next batch <── acks file, synced        in-doubt file, synced ──> the same batch again
//! ```
//!
//! A batch is sent again, with the same ids and bytes, until every line of it is acknowledged; only
//! then comes a newer line of its partition. So the canonical order of every stream is the file's.

pub mod decide;
pub mod evidence;
pub mod gate;
pub mod progress;
mod run;
pub mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use dcp_core::clock::Clock;
use dcp_core::error::Error;
use dcp_core::ids::RegionId;
use dcp_core::ports::Appends;
use dcp_core::treaty::Treaty;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::evidence::Evidence;
pub use self::gate::Gate;
pub use self::progress::{FirstAck, Progress};
use self::work::Work;
use crate::orders::{Home, Orders};

/// Most lines of one batch, unless the settings say otherwise.
pub const BATCH_LINES: usize = 250;

/// What a producer is given beside its order lines.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProducerSettings {
    /// The home whose lines it sends.
    pub home: Home,
    /// Slices and the request deadline.
    pub treaty: Arc<Treaty>,
    /// Directory of `<region>.jsonl` and `<region>.in_doubt.jsonl`; created if missing.
    pub evidence: PathBuf,
    /// Most lines of one batch; after a hard kill it must not be less than before.
    pub batch_lines: usize,
    /// Whether even partitions stay with the home region for as long as it acknowledges, even when
    /// a higher epoch of another region is known.
    pub prefer_home: bool,
}

impl ProducerSettings {
    /// Settings with batches of [`BATCH_LINES`] that always follow the highest epoch.
    #[must_use]
    pub fn new(home: Home, treaty: Arc<Treaty>, evidence: PathBuf) -> Self {
        Self { home, treaty, evidence, batch_lines: BATCH_LINES, prefer_home: false }
    }

    /// With other batches, of at least 1 line.
    #[must_use]
    pub fn with_batch_lines(mut self, lines: usize) -> Self {
        self.batch_lines = lines.max(1);
        self
    }

    /// Even partitions stay with the home region for as long as it acknowledges.
    #[must_use]
    pub fn preferring_home(mut self) -> Self {
        self.prefer_home = true;
        self
    }
}

/// A producer of one home's lines.
#[derive(Debug)]
pub struct Producer {
    settings: ProducerSettings,
    orders: Arc<Orders>,
    regions: BTreeMap<RegionId, Arc<dyn Appends>>,
    clock: Arc<dyn Clock>,
    stamps: Arc<dyn Clock>,
    work: Work,
    evidence: Evidence,
    gate: Gate,
    progress: watch::Sender<Progress>,
}

impl Producer {
    /// Opens the evidence and finds out where to go on: after the last acknowledged line of each
    /// partition. A torn last line of the evidence is cut off, durably.
    ///
    /// `clock` measures deadlines and should count suspend; `stamps` gives the times in the
    /// evidence, [`SystemClock::monotonic`](dcp_core::clock::SystemClock::monotonic) outside tests. The gate is open. Blocks on the file system.
    ///
    /// # Errors
    /// `Refused` if another process has the evidence open; `Corrupt` if the evidence contradicts
    /// the order lines; `Invalid` if the treaty has not the orders' scope with 20 partitions, a
    /// region that may own it has no endpoint, or a file cannot be opened.
    pub fn open(
        settings: ProducerSettings,
        orders: Arc<Orders>,
        regions: impl IntoIterator<Item = Arc<dyn Appends>>,
        clock: Arc<dyn Clock>,
        stamps: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let regions: BTreeMap<_, _> = regions.into_iter().map(|appends| (appends.region().clone(), appends)).collect();
        let mut work = Work::plan(settings.home, &settings.treaty, &orders)?;
        for region in settings.treaty.scope(&settings.home.scope_id())?.regions() {
            if !regions.contains_key(region) {
                return Err(Error::invalid("no-endpoint", format!("{region} may own orders and has no endpoint")));
            }
        }
        let (evidence, acks) = Evidence::open(&settings.evidence, settings.home.region())?;
        let mut first_acks = progress::FirstAcks::default();
        for ack in acks {
            let ack = ack?;
            let slice = work.acknowledged(&ack)?;
            first_acks.note(slice, ack.epoch, &ack.by, ack.at_ns);
        }
        work.settle()?;
        let progress = watch::Sender::new(work.progress(&first_acks));
        Ok(Self { settings, orders, regions, clock, stamps, work, evidence, gate: Gate::open(), progress })
    }

    /// Holds and releases lines; may be kept while the producer runs.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// How far it is, also what it found in the evidence.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Sends until every line is acknowledged or `stop` is cancelled. A batch in flight at that
    /// moment is dropped; the next run treats it as in doubt, as after a hard kill.
    ///
    /// # Errors
    /// The first error that repeating cannot cure, with its place: `Invalid`, `Corrupt`, a rule
    /// that goes on refusing, or evidence that cannot be written.
    ///
    /// # Cancel safety
    /// Dropped, it behaves as after a hard kill: open a new one to go on. The evidence is free for
    /// that once a sync that was under way has ended.
    pub async fn run(self, stop: &CancellationToken) -> Result<(), Error> {
        run::run(self, stop).await
    }
}

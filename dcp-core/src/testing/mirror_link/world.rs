//! Two regions with a link from `west` to `east`, and everything that may happen to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::faults::{CopyPlan, FaultyLocal, FaultySource};
use super::{LinkParts, MirrorLinkFixture};
use crate::clock::{Clock, SeededEntropy, TokioClock};
use crate::error::Error;
use crate::event::{NewEvent, Record};
use crate::fence::Term;
use crate::ids::LinkId;
use crate::log::LogId;
use crate::memory::{MemoryEventStore, MemoryStateStore};
use crate::operation::{Operation, OperationKey};
use crate::ports::event_store::{EventSource, EventStore, EventWriter, OwnerBatch, ReadFrom, WriterRole};
use crate::ports::mirror_link::{LinkDesire, LinkStatus, MirrorLink};
use crate::position::{Cut, LogIncarnation};
use crate::tasks::TaskGroup;
use crate::testing::Violation;
use crate::testing::fixtures::{TwoRegions, east, event_of, holder, orders, partition_log, slice_a, slice_b, west};

/// Incarnation of the source's store.
pub const SOURCE_INCARNATION: LogIncarnation = LogIncarnation::from_bytes([11; 16]);
const LOCAL_INCARNATION: LogIncarnation = LogIncarnation::from_bytes([22; 16]);

/// How often a condition is looked at before the clause gives up, and how long between.
const LOOKS: usize = 2_000;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// A worker that runs.
#[derive(Debug)]
pub struct RunningLink {
    /// The link.
    pub link: Arc<dyn MirrorLink>,
    /// What becomes of its copies.
    pub copies: Arc<CopyPlan>,
    group: TaskGroup,
}

impl RunningLink {
    /// Stops the worker and waits for it.
    ///
    /// # Errors
    /// What the worker ended with.
    pub async fn stop(self) -> Result<(), Error> {
        self.group.stop().await
    }

    /// Waits for the worker to end by itself.
    ///
    /// # Errors
    /// What the worker ended with; `Retry` if it still runs after a minute.
    pub async fn ended(self, clock: &dyn Clock) -> Result<(), Error> {
        tokio::select! {
            biased;
            ended = self.group.join() => ended,
            () = clock.sleep(Duration::from_secs(60)) => Err(Error::retry("still-running", "the worker did not end")),
        }
    }
}

/// The world of one clause. `west` owns everything of [`orders`]; `east` mirrors it.
#[derive(Debug)]
pub struct World {
    /// The region's stores as they really are.
    pub west: Arc<MemoryEventStore>,
    /// The link's target.
    pub east: Arc<MemoryEventStore>,
    /// The link's state store.
    pub state: Arc<MemoryStateStore>,
    /// `west` as the link sees it.
    pub source: Arc<FaultySource>,
    /// The clock, on paused time.
    pub clock: Arc<dyn Clock>,
    regions: TwoRegions,
    writers: BTreeMap<LogId, Box<dyn EventWriter>>,
    numbers: u64,
    operations: u64,
}

impl World {
    /// Two empty regions.
    ///
    /// # Errors
    /// A violation if the stores do not open.
    pub async fn start() -> Result<Self, Violation> {
        let west = Arc::new(MemoryEventStore::new(west(), SOURCE_INCARNATION));
        let mut world = Self {
            east: Arc::new(MemoryEventStore::new(east(), LOCAL_INCARNATION)),
            state: Arc::new(MemoryStateStore::new()),
            source: Arc::new(FaultySource::new(west.clone())),
            clock: Arc::new(TokioClock::new()),
            west,
            regions: TwoRegions::new(),
            writers: BTreeMap::new(),
            numbers: 0,
            operations: 0,
        };
        world.writers = world.open_writers(&world.west).await?;
        Ok(world)
    }

    /// The users' logs that the link copies: one of each slice.
    #[must_use]
    pub fn logs() -> Vec<LogId> {
        vec![partition_log(&west(), 0), partition_log(&west(), 1)]
    }

    async fn open_writers(
        &self,
        store: &Arc<MemoryEventStore>,
    ) -> Result<BTreeMap<LogId, Box<dyn EventWriter>>, Violation> {
        let mut writers = BTreeMap::new();
        for (log, slice) in Self::logs().into_iter().zip([slice_a(&orders()), slice_b(&orders())]) {
            let role = WriterRole::Owner(self.regions.genesis(&slice));
            let writer = store.open_writer(std::slice::from_ref(&log), role).await?;
            writers.insert(log, writer);
        }
        Ok(writers)
    }

    /// Appends this many plain events to a log of the source.
    ///
    /// # Errors
    /// A violation if the source refuses.
    pub async fn append(&mut self, log: &LogId, count: usize) -> Result<(), Violation> {
        let events = (0..count).map(|_| {
            self.numbers += 1;
            event_of(&format!("stream-{}", self.numbers % 3), self.numbers)
        });
        let events = events.collect();
        self.append_events(log, events).await
    }

    /// Appends these events to a log of the source.
    ///
    /// # Errors
    /// A violation if the source refuses.
    pub async fn append_events(&mut self, log: &LogId, events: Vec<NewEvent>) -> Result<(), Violation> {
        let writer = self.writers.get(log).ok_or_else(|| Violation(format!("the world does not write {log}")))?;
        writer.append(OwnerBatch::new(log.clone(), events)).await?;
        Ok(())
    }

    /// Puts another store in the source's place and writes there from now on.
    ///
    /// # Errors
    /// A violation if its writers do not open.
    pub async fn replace_source(&mut self, incarnation: LogIncarnation) -> Result<(), Violation> {
        let replaced = Arc::new(MemoryEventStore::new(west(), incarnation));
        self.writers = self.open_writers(&replaced).await?;
        self.source.replace(replaced.clone());
        self.west = replaced;
        Ok(())
    }

    /// What a link named `west-east` is given here.
    #[must_use]
    pub fn parts(&self, logs: Vec<LogId>) -> (LinkParts, Arc<CopyPlan>) {
        let copies = Arc::new(CopyPlan::default());
        let parts = LinkParts {
            id: link_id(),
            source_region: west(),
            logs,
            source: self.source.clone(),
            local: Arc::new(FaultyLocal::new(self.east.clone(), copies.clone())),
            state: self.state.clone(),
            clock: self.clock.clone(),
            entropy: Arc::new(SeededEntropy::new(44, "link")),
        };
        (parts, copies)
    }

    /// Starts a worker over [`World::logs`].
    ///
    /// # Errors
    /// A violation if the link cannot be built.
    pub fn run<Fx: MirrorLinkFixture>(&self) -> Result<RunningLink, Violation> {
        let (parts, copies) = self.parts(Self::logs());
        let mut group = TaskGroup::new(&CancellationToken::new());
        let started = Fx::start(parts, group.stop_token())?;
        group.spawn("link", started.worker);
        Ok(RunningLink { link: started.link, copies, group })
    }

    /// Kills the worker and its region's stores, which lose whatever was not durable, and opens
    /// the stores again.
    pub async fn crash(&self, running: RunningLink) {
        drop(running);
        // An aborted task ends at its next turn.
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        self.east.crash();
        self.state.crash();
        self.east.reopen();
        self.state.reopen();
    }

    /// Lets `west` write a heartbeat while its own clock shows an hour that has nothing to do with
    /// anybody else's.
    ///
    /// # Errors
    /// A violation if it is refused.
    pub async fn beat<Fx: MirrorLinkFixture>(&self) -> Result<(), Violation> {
        let owned: BTreeSet<LogId> = Self::logs().into_iter().collect();
        let far_ahead = self.clock.now().after(Duration::from_secs(86_400));
        Fx::beat(self.west.clone(), owned, far_ahead).await?;
        Ok(())
    }

    /// An operation of `east`'s plane under this revision of its term; each is another.
    ///
    /// # Errors
    /// None: the names are legal.
    pub fn operation(&mut self, revision: u64) -> Result<Operation, Violation> {
        self.operations += 1;
        let key = OperationKey { run: "run-1".parse()?, step: format!("step-{}", self.operations).parse()? };
        Ok(Operation::for_tests(key, Term { issuer: east(), holder: holder("east-1"), revision }))
    }

    /// Sets what the link shall do, under revision 1, and waits until it shows.
    ///
    /// # Errors
    /// A violation if it is refused or never shows.
    pub async fn desire(&mut self, link: &Arc<dyn MirrorLink>, desire: LinkDesire) -> Result<(), Violation> {
        let operation = self.operation(1)?;
        let state = desire.state;
        link.set_desire(&operation, desire).await?;
        self.until_status(link, &format!("the link is {state:?}"), |status| status.state == state).await
    }

    /// Waits until the status is as wanted.
    ///
    /// # Errors
    /// A violation that says what did not come.
    pub async fn until_status(
        &self,
        link: &Arc<dyn MirrorLink>,
        what: &str,
        holds: impl Fn(&LinkStatus) -> bool + Send,
    ) -> Result<(), Violation> {
        for _ in 0..LOOKS {
            if holds(&link.status().await?) {
                return Ok(());
            }
            self.clock.sleep(BETWEEN_LOOKS).await;
        }
        Err(Violation(format!("never: {what}; status {:?}", link.status().await?)))
    }

    /// Waits until the mirror of a log holds this many records or more.
    ///
    /// # Errors
    /// A violation that says how many it holds.
    pub async fn until_count(&self, log: &LogId, count: usize) -> Result<(), Violation> {
        for _ in 0..LOOKS {
            if self.mirrored(log).await?.len() >= count {
                return Ok(());
            }
            self.clock.sleep(BETWEEN_LOOKS).await;
        }
        Err(Violation(format!("{log}: never {count} records, but {}", self.mirrored(log).await?.len())))
    }

    /// Waits until a condition holds.
    ///
    /// # Errors
    /// A violation that says what did not come.
    pub async fn until(&self, what: &str, holds: impl Fn() -> bool + Send) -> Result<(), Violation> {
        for _ in 0..LOOKS {
            if holds() {
                return Ok(());
            }
            self.clock.sleep(BETWEEN_LOOKS).await;
        }
        Err(Violation(format!("never: {what}")))
    }

    /// Gives the link ample time.
    pub async fn rest(&self) {
        self.clock.sleep(Duration::from_secs(10)).await;
    }

    /// Where the source's logs end.
    ///
    /// # Errors
    /// A violation if the store does not answer.
    pub async fn source_ends(&self) -> Result<Cut, Violation> {
        Ok(self.west.ends(&Self::logs()).await?)
    }

    /// The records of a log at the source.
    ///
    /// # Errors
    /// A violation if the store does not answer.
    pub async fn written(&self, log: &LogId) -> Result<Vec<Record>, Violation> {
        records(self.west.as_ref(), log).await
    }

    /// The records of a log's mirror.
    ///
    /// # Errors
    /// A violation if the store does not answer.
    pub async fn mirrored(&self, log: &LogId) -> Result<Vec<Record>, Violation> {
        records(self.east.as_ref(), log).await
    }

    /// Demands that every mirror is a prefix of its source, record by record.
    ///
    /// # Errors
    /// A violation that names the first record that is not.
    pub async fn demand_prefix(&self) -> Result<(), Violation> {
        for log in Self::logs() {
            let (written, mirrored) = (self.written(&log).await?, self.mirrored(&log).await?);
            if let Some(index) = mirrored.iter().enumerate().find_map(|(i, r)| (written.get(i) != Some(r)).then_some(i))
            {
                return Err(Violation(format!(
                    "{log}: record {index} of the mirror is {:?}, at the source {:?}",
                    mirrored.get(index),
                    written.get(index)
                )));
            }
        }
        Ok(())
    }

    /// Waits until every mirror has as many records as its source, and demands that they are the
    /// same.
    ///
    /// # Errors
    /// A violation that names what differs.
    pub async fn until_equal(&self) -> Result<(), Violation> {
        for log in Self::logs() {
            self.until_count(&log, self.written(&log).await?.len()).await?;
            let (written, mirrored) = (self.written(&log).await?.len(), self.mirrored(&log).await?.len());
            crate::demand!(written == mirrored, "{log}: {mirrored} records mirrored, {written} written");
        }
        self.demand_prefix().await
    }
}

/// The link of every world.
#[must_use]
#[allow(clippy::expect_used, clippy::missing_panics_doc)] // A constant that keeps the rule.
pub fn link_id() -> LinkId {
    LinkId::new("west-east").expect("a legal name")
}

async fn records(store: &dyn EventSource, log: &LogId) -> Result<Vec<Record>, Violation> {
    let mut reader = store.open_reader(log, ReadFrom::Start).await?;
    let mut records = Vec::new();
    loop {
        let placed = reader.next(1_000, Duration::ZERO).await?;
        if placed.is_empty() {
            return Ok(records);
        }
        records.extend(placed.into_iter().map(|placed| placed.record));
    }
}

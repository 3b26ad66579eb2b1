//! A guard over the in-memory models, with or without a planted defect.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use dcp_core::clock::{Moment, TokioClock};
use dcp_core::fence::FencingToken;
use dcp_core::ids::{ResourceId, SliceRef};
use dcp_core::log::LogId;
use dcp_core::memory::{MemoryEventStore, MemoryStateStore};
use dcp_core::ownership::{Epoch, WriteGrant};
use dcp_core::ports::{EventSourceExt, EventStore, EventWriter, OwnerBatch, OwnershipLease, ResourceGuard, WriterRole};
use dcp_core::position::{Cut, LogIncarnation};
use dcp_core::testing::Violation;
use dcp_core::testing::fixtures::{TwoRegions, event, orders, partition_log, slice_a, west};
use dcp_core::testing::resource_guard::{ResourceGuardFixture, Underway};
use dcp_core::{Error, Failure};
use dcp_fencing::guard::{EventStoreSlice, GuardParts, Protected, Reach, SliceGuard};

/// A lease with one end for every slice and epoch.
#[derive(Debug)]
pub(crate) struct SetLease(AtomicU64);

impl OwnershipLease for SetLease {
    fn check(&self, slice: &SliceRef, _epoch: Epoch, now: Moment) -> Result<Moment, Error> {
        let until = Moment::from_nanos(self.0.load(Ordering::SeqCst));
        if now < until { Ok(until) } else { Err(Error::fenced("lease-run-out", slice.to_string())) }
    }
}

/// The slice's logs, which can be cut off.
#[derive(Debug)]
pub(crate) struct Resource {
    store: Arc<dyn EventStore>,
    log: LogId,
    cut: AtomicBool,
    raises_the_stores_fence: bool,
}

#[async_trait]
impl Protected for Resource {
    async fn barrier(&self, grant: &WriteGrant, reach: Reach) -> Result<Cut, Failure> {
        if self.cut.load(Ordering::SeqCst) {
            return Err(Failure::NotApplied(Error::retry("cut", "the resource cannot be reached")));
        }
        let logs = vec![self.log.clone()];
        if self.raises_the_stores_fence {
            return EventStoreSlice::new(Arc::clone(&self.store), logs).barrier(grant, reach).await;
        }
        self.store.ends(&logs).await.map_err(Failure::NotApplied)
    }
}

/// Where a deployment goes wrong.
pub(crate) trait Plant: Send + Sync + 'static {
    /// Puts a defective guard around the correct one.
    fn dress(inner: Arc<dyn ResourceGuard>, _lease: Arc<dyn OwnershipLease>) -> Arc<dyn ResourceGuard> {
        inner
    }
    /// Whether the guard's fence is on a disk.
    const DURABLE: bool = true;
    /// Whether the barrier raises the store's own fence.
    const BARS: bool = true;
}

/// Nothing wrong.
pub(crate) struct Sound;
impl Plant for Sound {}

/// A guard, its resource and its lease.
pub(crate) struct Deployment<P> {
    world: TwoRegions,
    state: MemoryStateStore,
    events: MemoryEventStore,
    lease: Arc<SetLease>,
    resource: Arc<Resource>,
    plain: Arc<SliceGuard>,
    guard: Arc<dyn ResourceGuard>,
    writers: Mutex<BTreeMap<Epoch, Arc<dyn EventWriter>>>,
    appended: AtomicU64,
    plant: PhantomData<P>,
}

impl<P: Plant> Deployment<P> {
    fn build() -> Self {
        let world = TwoRegions::new();
        let state = MemoryStateStore::new();
        let events = MemoryEventStore::new(west(), LogIncarnation::from_bytes([7; 16]));
        let lease = Arc::new(SetLease(AtomicU64::new(u64::MAX)));
        let resource = Arc::new(Resource {
            store: Arc::new(events.clone()),
            log: partition_log(&west(), 0),
            cut: AtomicBool::new(false),
            raises_the_stores_fence: P::BARS,
        });
        let (plain, guard) = Self::guards(&world, &state, &lease, &resource);
        Self {
            world,
            state,
            events,
            lease,
            resource,
            plain,
            guard,
            writers: Mutex::default(),
            appended: AtomicU64::new(0),
            plant: PhantomData,
        }
    }

    fn guards(
        world: &TwoRegions,
        state: &MemoryStateStore,
        lease: &Arc<SetLease>,
        resource: &Arc<Resource>,
    ) -> (Arc<SliceGuard>, Arc<dyn ResourceGuard>) {
        let parts = GuardParts::new(
            west(),
            ResourceId::new("west.orders.a").unwrap(),
            slice_a(&orders()),
            Arc::new(state.clone()),
            world.keyring().clone(),
            Arc::<SetLease>::clone(lease),
            Arc::<Resource>::clone(resource),
            Arc::new(TokioClock::new()),
        );
        let plain = Arc::new(SliceGuard::new(parts.with_seal_deadline(Duration::from_millis(200))).unwrap());
        let guard = P::dress(Arc::<SliceGuard>::clone(&plain), Arc::<SetLease>::clone(lease));
        (plain, guard)
    }

    /// The guard as it is, without a defect around it.
    #[allow(dead_code)] // Each test binary uses what it needs.
    pub(crate) fn plain(&self) -> &SliceGuard {
        &self.plain
    }

    /// The store with the fence.
    #[allow(dead_code)]
    pub(crate) fn state(&self) -> &MemoryStateStore {
        &self.state
    }

    /// The signed world.
    #[allow(dead_code)]
    pub(crate) fn world(&self) -> &TwoRegions {
        &self.world
    }
}

#[async_trait]
impl<P: Plant> ResourceGuardFixture for Deployment<P> {
    async fn start() -> Self {
        Self::build()
    }

    fn guard(&self) -> Arc<dyn ResourceGuard> {
        Arc::clone(&self.guard)
    }

    fn lease_until(&self, until: Moment) {
        self.lease.0.store(until.as_nanos(), Ordering::SeqCst);
    }

    async fn prepare(&self, grant: &WriteGrant) -> Result<Box<dyn Underway>, Violation> {
        let open = self.writers.lock().unwrap().get(&grant.epoch).cloned();
        let writer = match open {
            Some(writer) => writer,
            None => {
                let logs = [self.resource.log.clone()];
                let writer = self.events.open_writer(&logs, WriterRole::Owner(grant.clone())).await?;
                let writer: Arc<dyn EventWriter> = Arc::from(writer);
                self.writers.lock().unwrap().insert(grant.epoch, Arc::clone(&writer));
                writer
            }
        };
        let number = self.appended.fetch_add(1, Ordering::SeqCst);
        let batch = OwnerBatch::new(self.resource.log.clone(), vec![event(number)]);
        Ok(Box::new(Append { writer, batch }))
    }

    async fn holds(&self) -> Result<u64, Violation> {
        Ok(self.events.end(&self.resource.log).await?.prefix.count)
    }

    fn cut_resource(&self, cut: bool) {
        self.resource.cut.store(cut, Ordering::SeqCst);
    }

    async fn attempt(&self, token: &FencingToken) -> Result<(), Error> {
        self.plain.authorise(token).await
    }

    async fn crash(&mut self) {
        if P::DURABLE {
            self.state.crash();
            self.state.reopen();
        } else {
            self.state = MemoryStateStore::new();
        }
        (self.plain, self.guard) = Self::guards(&self.world, &self.state, &self.lease, &self.resource);
    }
}

struct Append {
    writer: Arc<dyn EventWriter>,
    batch: OwnerBatch,
}

#[async_trait]
impl Underway for Append {
    async fn land(self: Box<Self>) -> Result<(), Failure> {
        self.writer.append(self.batch).await.map(|_| ())
    }
}

//! One region of the simulated world: what is durable, and the process that runs on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dcp_core::Error;
use dcp_core::clock::{Clock, SeededEntropy};
use dcp_core::control_plane::PlaneHandle;
use dcp_core::ids::{HolderId, RegionId, SliceRef};
use dcp_core::memory::{MemoryEventStore, MemoryStateStore};
use dcp_core::ownership::WriteGrant;
use dcp_core::ports::{Appends, EventSource, EventStore, Handover, Sealable, StateStore, Witness};
use dcp_core::recovery::{Peer, RecoveryParts};
use dcp_core::signed::Signer;
use dcp_core::treaty::Treaty;
use dcp_fencing::StateStoreWitness;
use dcp_mirror::StoreLink;
use dcp_replay::{Projector, StateModelStore};
use tokio_util::sync::CancellationToken;

use super::clock::NodeClock;
use super::defects::Planted;
use super::failpoints::{Trap, Trapped};
use super::network::{Network, Path, Wire};
use super::observations::Observer;
use super::ports::{CarriedGuard, CarriedHandover, CarriedSource, CarriedState, CarriedStore, ObservedAppends};
use super::process::Process;
use crate::orders::Home;
use crate::region::{Assembled, CheckedSeal, Ingredients, assemble_with, guard_resource, next_life};

/// What one life of a region's process offers to others and to the story.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) process: Arc<Process>,
    pub(super) appends: Arc<dyn Appends>,
    pub(super) handover: Arc<dyn Handover>,
    pub(super) handle: PlaneHandle,
    pub(super) parts: Arc<RecoveryParts>,
    pub(super) links: BTreeMap<RegionId, Arc<StoreLink>>,
    pub(super) projector: Arc<Projector>,
}

impl Served {
    /// The guard of a slice as the endpoint offers it.
    pub(super) fn seal_of(&self, slice: &SliceRef) -> Result<Arc<dyn Sealable>, Error> {
        let guard = Arc::clone(self.parts.appends.guard(slice)?);
        Ok(Arc::new(CheckedSeal { guard, parts: Arc::clone(&self.parts) }))
    }
}

/// Where the present life of a region is found.
#[derive(Debug, Clone, Default)]
pub(super) struct Slot(Arc<Mutex<Option<Arc<Served>>>>);

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Served>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn served(&self) -> Result<Arc<Served>, Error> {
        self.lock().clone().ok_or_else(|| Error::retry("starting", "the region has not started yet"))
    }
}

/// What survives the process.
#[derive(Debug, Clone)]
pub(super) struct Durable {
    pub(super) store: MemoryEventStore,
    pub(super) state: MemoryStateStore,
    pub(super) models: MemoryStateStore,
}

impl Durable {
    pub(super) fn new(region: &RegionId, seed: u64) -> Self {
        let entropy = SeededEntropy::new(seed, &format!("{region}/store"));
        Self {
            store: MemoryEventStore::drawn(region.clone(), &entropy),
            state: MemoryStateStore::new(),
            models: MemoryStateStore::new(),
        }
    }

    fn crash(&self) {
        self.store.crash();
        self.state.crash();
        self.models.crash();
    }

    pub(super) fn reopen(&self) {
        self.store.reopen();
        self.state.reopen();
        self.models.reopen();
    }
}

/// What every region of one world shares.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    pub(super) seed: u64,
    pub(super) treaty: Arc<Treaty>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) network: Arc<Network>,
    pub(super) witness: MemoryStateStore,
    pub(super) observer: Arc<Observer>,
}

/// A region.
#[derive(Debug)]
pub(super) struct Region {
    pub(super) home: Home,
    pub(super) around: Surroundings,
    pub(super) signer: Arc<Signer>,
    pub(super) durable: Durable,
    pub(super) trap: Arc<Trap>,
    pub(super) slot: Slot,
    pub(super) planted: Arc<Planted>,
    /// Its event store as it and the other region see it.
    pub(super) store: Arc<dyn EventStore>,
    /// The first grants of its own slices.
    pub(super) genesis: Vec<WriteGrant>,
    /// The other region: where it is, and its store.
    pub(super) peer: (Home, Slot, Arc<dyn EventStore>),
}

impl Region {
    pub(super) fn name(&self) -> &'static str {
        self.home.region()
    }

    pub(super) fn served(&self) -> Result<Arc<Served>, Error> {
        self.slot.served()
    }

    /// Starts a process on what is durable.
    pub(super) async fn start(&self) -> Result<(), Error> {
        let process = Process::start();
        let life = next_life(&self.durable.state).await?;
        let assembled = assemble_with(self.ingredients(&process, life)?, &*self.planted)?;
        let Assembled { plane, handle, parts, handover, links, projector, .. } = assembled;
        let endpoint = self.planted.endpoint(self, Arc::clone(&parts.appends) as Arc<dyn Appends>);
        let appends = Arc::new(ObservedAppends { inner: endpoint, observer: Arc::clone(&self.around.observer) });
        let served = Served { process: Arc::clone(&process), appends, handover, handle, parts, links, projector };
        *self.slot.lock() = Some(Arc::new(served));
        self.around.network.host(self.name(), &process);
        let (observer, name) = (Arc::clone(&self.around.observer), self.name());
        process.spawn(async move {
            if let Err(error) = plane.run(CancellationToken::new()).await {
                observer.ended(name, &error);
            }
        });
        Ok(())
    }

    /// Ends the process as a power cut does, and loses what was not synced.
    pub(super) fn kill(&self) {
        kill(&self.slot, &self.durable, &self.planted);
    }

    /// After a kill: starts again on what was durable.
    pub(super) async fn restart(&self) -> Result<(), Error> {
        self.durable.reopen();
        self.planted.reopened(&self.durable).await;
        self.start().await
    }

    /// The store of read models, past the process.
    pub(super) fn models(&self) -> Result<Arc<StateModelStore>, Error> {
        Ok(Arc::new(StateModelStore::new(Arc::new(self.durable.models.clone()), "models")?))
    }

    /// This region's clock over a process: its own zero and rate, drawn from the seed.
    fn clock(&self, process: &Arc<Process>) -> Arc<dyn Clock> {
        use dcp_core::clock::Entropy as _;
        let drawn = SeededEntropy::new(self.around.seed, &format!("{}/clock", self.name())).draw();
        // Within a thousandth, as the treaty bounds it.
        let rate = i64::from(u16::from_be_bytes([drawn[0], drawn[1]]) % 1_801) - 900;
        let offset = u64::from(drawn[2]) * 1_000_000_000;
        Arc::new(NodeClock::new(Arc::clone(&self.around.clock), Arc::clone(process), offset, rate))
    }

    fn wire(&self, process: &Arc<Process>, to: &str, clock: &Arc<dyn Clock>) -> Wire {
        Wire {
            network: Arc::clone(&self.around.network),
            from: self.name().to_owned(),
            to: to.to_owned(),
            caller: Arc::clone(process),
            clock: Arc::clone(clock),
            deadline: self.around.treaty.lease().request_deadline(),
        }
    }

    fn peer(&self, wire: &Wire) -> Result<Peer, Error> {
        let (home, slot, store) = &self.peer;
        let guards = self.around.treaty.slices().into_iter().map(|slice| {
            let resource = guard_resource(&home.region_id(), &slice)?;
            let guard = CarriedGuard { wire: wire.clone(), slot: slot.clone(), resource, slice: slice.clone() };
            Ok((slice, Arc::new(guard) as Arc<dyn Sealable>))
        });
        let source = self.planted.source(self.home, Arc::clone(store) as Arc<dyn EventSource>);
        Ok(Peer {
            source: Arc::new(CarriedSource::new(Path::Remote(wire.clone()), source)),
            guards: guards.collect::<Result<_, Error>>()?,
            handover: Arc::new(CarriedHandover { wire: wire.clone(), slot: slot.clone() }),
        })
    }

    fn ingredients(&self, process: &Arc<Process>, life: u64) -> Result<Ingredients, Error> {
        let clock = self.clock(process);
        let local = Path::Local(Arc::clone(process));
        let state: Arc<dyn StateStore> = self.planted.state(self.home, &self.durable.state);
        let to_witness = Path::Remote(self.wire(process, "witness", &clock));
        let witness_store = CarriedState::new(to_witness, Arc::new(self.around.witness.clone()));
        let witness: Arc<dyn Witness> =
            Arc::new(StateStoreWitness::new(Arc::new(witness_store), Arc::clone(&self.around.treaty)));
        let kill = {
            let (slot, durable, planted) = (self.slot.clone(), self.durable.clone(), Arc::clone(&self.planted));
            Box::new(move || kill(&slot, &durable, &planted))
        };
        Ok(Ingredients {
            region: self.home.region_id(),
            // One process of a region runs at a time.
            holder: HolderId::new(format!("{}.plane", self.name()))?,
            treaty: Arc::clone(&self.around.treaty),
            signer: Arc::clone(&self.signer),
            entropy: Arc::new(SeededEntropy::new(self.around.seed, &format!("{}/plane/life {life}", self.name()))),
            jitter: Arc::new(SeededEntropy::new(self.around.seed, &format!("{}/jitter/life {life}", self.name()))),
            marks: Arc::new(SeededEntropy::new(self.around.seed, &format!("{}/marks/life {life}", self.name()))),
            failpoints: Arc::new(Trapped { trap: Arc::clone(&self.trap), kill }),
            store: Arc::new(CarriedStore::new(process, Arc::clone(&self.store))),
            state: Arc::new(CarriedState::new(local.clone(), state)),
            models: Arc::new(CarriedState::new(local, Arc::new(self.durable.models.clone()))),
            witness: self.planted.witness(self, witness),
            peers: [(self.peer.0.region_id(), self.peer(&self.wire(process, self.peer.0.region(), &clock))?)].into(),
            clock,
        })
    }
}

fn kill(slot: &Slot, durable: &Durable, planted: &Planted) {
    if let Ok(served) = slot.served() {
        served.process.kill();
    }
    durable.crash();
    planted.crashed(durable);
}

/// Time that a killed process stays down before it is started again.
pub(super) const DOWN: Duration = Duration::from_millis(200);

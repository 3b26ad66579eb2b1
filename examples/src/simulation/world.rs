//! Two regions, their witness and two producers, and the network between them.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dcp_core::Error;
use dcp_core::clock::{Clock, Entropy as _, SeededEntropy, TokioClock};
use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::memory::MemoryStateStore;
use dcp_core::ownership::{Ownership, WriteGrant};
use dcp_core::ports::{Appends, Witness};
use dcp_core::signed::Signer;
use dcp_core::treaty::Treaty;
use dcp_fencing::StateStoreWitness;

use super::defects::{Defect, Planted};
use super::failpoints::Trap;
use super::network::{Network, Wire};
use super::observations::{Finding, Observer};
use super::plan::StoryPlan;
use super::ports::CarriedAppends;
use super::process::{Board, Process};
use super::producer::{Book, Producer};
use super::region::{DOWN, Durable, Region, Slot, Surroundings};
use crate::foundation;
use crate::orders::{Home, Orders};

/// Time to live of the ownership leases.
pub(super) const TTL: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);
/// How long anything in the story may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Everything.
#[derive(Debug)]
pub(super) struct World {
    pub(super) plan: StoryPlan,
    pub(super) orders: Arc<Orders>,
    pub(super) around: Surroundings,
    pub(super) regions: BTreeMap<Home, Region>,
    pub(super) producers: BTreeMap<Home, Arc<Producer>>,
    pub(super) witness: Arc<dyn Witness>,
    pub(super) genesis: Vec<WriteGrant>,
    /// Whether the first region is down on purpose.
    pub(super) down: Option<Home>,
    /// The process of everything outside the regions.
    pub(super) outside: Arc<Process>,
}

impl World {
    /// Builds a world whose regions and producers run.
    pub(super) async fn build(
        plan: StoryPlan,
        seed: u64,
        defect: Option<Defect>,
        orders: Arc<Orders>,
    ) -> Result<Self, Error> {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
        let mut signers = BTreeMap::new();
        for home in Home::ALL {
            let secret = SeededEntropy::new(seed, home.region()).draw();
            signers.insert(home.region_id(), foundation::signer(&home.region_id(), &secret)?);
        }
        let treaty = Arc::new(foundation::treaty(TTL, &signers)?);
        let witness_store = MemoryStateStore::new();
        let witness: Arc<dyn Witness> =
            Arc::new(StateStoreWitness::new(Arc::new(witness_store.clone()), Arc::clone(&treaty)));
        let genesis = genesis(&treaty, &signers, &*witness).await?;
        let around = Surroundings {
            seed,
            treaty: Arc::clone(&treaty),
            clock: Arc::clone(&clock),
            network: Network::new(Arc::clone(&clock), seed),
            witness: witness_store,
            observer: Observer::new(treaty, Arc::clone(&witness)),
        };
        let outside = Process::start();
        around.network.host("witness", &outside);
        let regions = regions(&plan, defect, &around, signers, &genesis);
        let mut world =
            Self { plan, orders, around, regions, producers: BTreeMap::new(), witness, genesis, down: None, outside };
        for home in Home::ALL {
            let producer = world.producer(home);
            world.producers.insert(home, producer);
        }
        Ok(world)
    }

    pub(super) fn region(&self, home: Home) -> &Region {
        // Both homes were put in when the world was built.
        &self.regions[&home]
    }

    pub(super) fn sleep(&self, time: Duration) -> impl Future<Output = ()> + '_ {
        self.around.clock.sleep(time)
    }

    /// A region's endpoint from a client's place.
    pub(super) fn endpoint(&self, from: &str, to: Home, deadline: Duration) -> Arc<dyn Appends> {
        let wire = Wire {
            network: Arc::clone(&self.around.network),
            from: from.to_owned(),
            to: to.region().to_owned(),
            caller: Arc::clone(&self.outside),
            clock: Arc::clone(&self.around.clock),
            deadline,
        };
        Arc::new(CarriedAppends { wire, slot: self.region(to).slot.clone(), region: to.region_id() })
    }

    fn producer(&self, home: Home) -> Arc<Producer> {
        let from = format!("producer.{}", home.region());
        // The producer's own deadline comes first.
        let deadline = self.around.treaty.lease().request_deadline() * 4;
        let regions = Home::ALL.map(|to| (to.region_id(), self.endpoint(&from, to, deadline)));
        Arc::new(Producer {
            home,
            treaty: Arc::clone(&self.around.treaty),
            orders: Arc::clone(&self.orders),
            regions: regions.into(),
            clock: Arc::clone(&self.around.clock),
            stamps: Arc::clone(&self.around.clock),
            prefer_home: self.plan.is_cut_off(),
            batch_lines: 5,
            gate: Board::new(0),
            book: Board::new(Book::default()),
            owners: Mutex::default(),
        })
    }

    /// Starts a process again that has ended without being told to.
    pub(super) async fn tend(&self) -> Result<(), Error> {
        for (home, region) in &self.regions {
            if self.down != Some(*home) && region.served()?.process.is_dead() {
                self.sleep(DOWN).await;
                region.restart().await?;
            }
        }
        Ok(())
    }

    /// Waits until something shows; what does not show is a finding.
    pub(super) async fn until<F>(&self, what: &str, shows: impl Fn() -> F) -> Result<(), Finding>
    where
        F: Future<Output = Result<bool, Error>>,
    {
        let deadline = self.around.clock.now().after(PATIENCE);
        loop {
            self.tend().await.map_err(|error| stuck(what, &error.to_string()))?;
            let shown = shows().await;
            if matches!(shown, Ok(true)) {
                return Ok(());
            }
            let stopped = self.producers.values().find_map(|producer| producer.book.look(|book| book.stopped.clone()));
            if let Some(error) = stopped {
                return Err(stuck(what, &format!("a producer stopped: {error}")));
            }
            if self.around.clock.now() > deadline {
                return Err(stuck(what, &format!("not within {PATIENCE:?}: {shown:?}")));
            }
            self.sleep(POLL).await;
        }
    }

    /// Lets both producers go on to a record.
    pub(super) fn let_produce(&self, record: u64) {
        for producer in self.producers.values() {
            producer.gate.change(|gate| *gate = record);
        }
    }

    /// Waits until both producers have every line up to a record acknowledged.
    pub(super) async fn produced(&self, record: u64) -> Result<(), Finding> {
        let own: Vec<_> = self.producers.values().map(|producer| (producer, producer.own_lines(record))).collect();
        let all = || async { Ok(own.iter().all(|(producer, lines)| producer.book.look(|book| book.holds(lines)))) };
        self.until(&format!("every line up to {record} acknowledged"), all).await
    }

    /// Slices of a home's scope.
    pub(super) fn slices(&self, home: Home) -> Vec<SliceRef> {
        let slices = self.around.treaty.slices().into_iter();
        slices.filter(|slice| slice.scope == home.scope_id()).collect()
    }
}

pub(super) fn stuck(what: &str, why: &str) -> Finding {
    Finding { check: "story", what: format!("{what}: {why}") }
}

async fn genesis(
    treaty: &Arc<Treaty>,
    signers: &BTreeMap<RegionId, Signer>,
    witness: &dyn Witness,
) -> Result<Vec<WriteGrant>, Error> {
    let mut grants = Vec::new();
    for slice in treaty.slices() {
        let home = treaty.scope(&slice.scope)?.home().clone();
        let signer = signers.get(&home).ok_or_else(|| Error::invalid("no-signer", home.to_string()))?;
        let record = signer.sign(&Ownership::genesis(slice, home))?;
        grants.push(treaty.keyring().open_by_issuer(&record)?);
    }
    witness.claim(&grants, None).await.map_err(|failure| Error::stopped("no-genesis", failure.to_string()))?;
    Ok(grants)
}

fn regions(
    plan: &StoryPlan,
    defect: Option<Defect>,
    around: &Surroundings,
    mut signers: BTreeMap<RegionId, Signer>,
    genesis: &[WriteGrant],
) -> BTreeMap<Home, Region> {
    let parts = Home::ALL.map(|home| {
        let planted = Planted::new(defect, plan.claim_race, Arc::clone(&around.observer));
        let durable = Durable::new(&home.region_id(), around.seed);
        let store = planted.store(&durable.store);
        (home, Slot::default(), planted, durable, store)
    });
    let mut regions = BTreeMap::new();
    for (index, (home, slot, planted, durable, store)) in parts.iter().enumerate() {
        let (peer, peer_slot, _, _, peer_store) = &parts[1 - index];
        let Some(signer) = signers.remove(&home.region_id()) else { continue };
        let region = Region {
            home: *home,
            around: around.clone(),
            signer: Arc::new(signer),
            durable: durable.clone(),
            trap: Arc::new(Trap::new()),
            slot: slot.clone(),
            planted: Arc::clone(planted),
            store: Arc::clone(store),
            genesis: genesis.iter().filter(|grant| grant.owner == home.region_id()).cloned().collect(),
            peer: (*peer, peer_slot.clone(), Arc::clone(peer_store)),
        };
        regions.insert(*home, region);
    }
    regions
}

/// The logs of a home's scope in its own region, by name.
pub(super) fn home_logs(treaty: &Treaty, home: Home) -> BTreeSet<String> {
    let logs = treaty.logs_by_origin(&home.region_id()).into_iter();
    logs.filter(|log| log.scope() == &home.scope_id()).map(|log| log.to_string()).collect()
}

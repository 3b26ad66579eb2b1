//! From stores and peers to a running region: which part is handed to which.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dcp_core::Error;
use dcp_core::appends::{GuardedAppends, Releases};
use dcp_core::clock::{Clock, Entropy};
use dcp_core::control_plane::{ControlPlane, PeerWatch, PlaneHandle, Worker};
use dcp_core::ids::{HolderId, LinkId, RegionId, ResourceId, SliceRef};
use dcp_core::ports::{
    Appends, EventSource, EventStore, Failpoints, HealthProbe, LeaderElection, LeaseHoldings, MirrorLink,
    OwnershipLease, ResourceGuard, StateStore, Witness,
};
use dcp_core::recovery::{MandateCell, OwnerHandover, Peer, RecoveryParts};
use dcp_core::signed::Signer;
use dcp_core::treaty::Treaty;
use dcp_fencing::{EventStoreSlice, GuardParts, OwnershipLeases, SliceGuard, StateStoreElection};
use dcp_mirror::{HeartbeatWriter, LinkPorts, LinkSettings, StoreLink};
use dcp_replay::{Projector, ProjectorSettings, StateModelStore};

use super::heartbeat::Beats;
use super::probes::{ProjectionsRun, SlicesOpen, StoreAnswers};
use crate::orders::projections;

// Read models of this region may lag by this much when nothing else is new.
const READ_MODEL_POLL: Duration = Duration::from_millis(50);

/// What a region is made of; every part may be in memory, embedded or remote.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs)]
pub struct Ingredients {
    /// This region.
    pub region: RegionId,
    /// This process, in the election of the region's leader: of two processes under one name each takes
    /// the other's term without end. See [`own_holder`](super::own_holder).
    pub holder: HolderId,
    /// What was agreed.
    pub treaty: Arc<Treaty>,
    /// This region's `local` key.
    pub signer: Arc<Signer>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness of run names and nonces; drawn from by the plane alone, so that a seed names the
    /// same runs.
    pub entropy: Arc<dyn Entropy>,
    /// Randomness of pauses.
    pub jitter: Arc<dyn Entropy>,
    /// Randomness of the marks by which the witness tells that the stores have not gone back: never
    /// drawn alike again, also after a restart.
    pub marks: Arc<dyn Entropy>,
    /// Failpoints.
    pub failpoints: Arc<dyn Failpoints>,
    /// The event store.
    pub store: Arc<dyn EventStore>,
    /// Journal, fences, link states, election.
    pub state: Arc<dyn StateStore>,
    /// Read models.
    pub models: Arc<dyn StateStore>,
    /// The witness.
    pub witness: Arc<dyn Witness>,
    /// The other regions.
    pub peers: BTreeMap<RegionId, Peer>,
}

/// A region that is assembled and does not run yet.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs)]
pub struct Assembled {
    /// Run it.
    pub plane: ControlPlane,
    /// Order plans.
    pub handle: PlaneHandle,
    /// The ports.
    pub parts: Arc<RecoveryParts>,
    /// The region's side of planned moves.
    pub handover: Arc<OwnerHandover>,
    /// Links into this region, by source.
    pub links: BTreeMap<RegionId, Arc<StoreLink>>,
    /// The projections.
    pub projector: Arc<Projector>,
    /// Where the read models are.
    pub models: Arc<StateModelStore>,
    /// The state store, for the journal's export.
    pub state: Arc<dyn StateStore>,
}

/// The name of the guard of a slice in a region.
///
/// # Errors
/// `Invalid` if the names are too long together.
pub fn guard_resource(region: &RegionId, slice: &SliceRef) -> Result<ResourceId, Error> {
    ResourceId::new(format!("{region}.{}.{}", slice.scope, slice.slice))
}

/// What a region may put around the parts that it assembles by itself, such as a guard that counts.
pub trait Fittings: Send + Sync {
    /// Holds the region's events; its peer reads the same.
    fn store(&self, store: Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        store
    }

    /// The events of the region `of`, as the link into this one reads them; `local` is this region's
    /// store.
    fn source(
        &self,
        _of: &RegionId,
        source: Arc<dyn EventSource>,
        _local: &Arc<dyn EventStore>,
    ) -> Arc<dyn EventSource> {
        source
    }

    /// Answers the producers' appends.
    fn endpoint(&self, appends: Arc<dyn Appends>, _parts: &RecoveryParts) -> Arc<dyn Appends> {
        appends
    }

    /// Stands in front of the appends of one slice.
    fn guard(&self, guard: SliceGuard, _lease: Arc<dyn OwnershipLease>) -> Arc<dyn ResourceGuard> {
        Arc::new(guard)
    }

    /// Elects the plane's leader.
    fn election(&self, election: StateStoreElection) -> Arc<dyn LeaderElection> {
        Arc::new(election)
    }
}

/// The parts as they are.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::exhaustive_structs)]
pub struct Plain;

impl Fittings for Plain {}

/// Assembles a region. Does no I/O.
///
/// # Errors
/// `Invalid` with what is missing or contradictory.
pub fn assemble(from: Ingredients) -> Result<Assembled, Error> {
    assemble_with(from, &Plain)
}

/// Assembles a region with fittings of the caller's own. Does no I/O.
///
/// # Errors
/// As [`assemble`].
pub fn assemble_with(from: Ingredients, fittings: &dyn Fittings) -> Result<Assembled, Error> {
    let scopes = from.treaty.scopes().keys().cloned();
    let writer = HeartbeatWriter::new(Arc::clone(&from.store), from.region.clone(), scopes, Arc::clone(&from.marks))?;
    let beats = Arc::new(Beats {
        region: from.region.clone(),
        writer,
        store: Arc::clone(&from.store),
        treaty: Arc::clone(&from.treaty),
    });
    let leases = Arc::new(OwnershipLeases::new(
        from.region.clone(),
        Arc::clone(&from.witness),
        from.treaty.lease().clone(),
        Arc::clone(&from.clock),
        Arc::clone(&beats) as _,
        Arc::clone(&from.state),
        Arc::clone(&from.marks),
    ));
    let watch = Arc::new(PeerWatch::new(
        Arc::clone(&from.witness),
        Arc::clone(&from.clock),
        from.treaty.lease().clone(),
        from.peers.keys().cloned(),
    ));
    let links = links(&from)?;
    let models = Arc::new(StateModelStore::new(Arc::clone(&from.models), "models")?);
    let projector = Arc::new(projector(&from, &models)?);
    let parts = Arc::new(recovery_parts(&from, fittings, &leases, &watch, &links, &projector)?);
    let (mut plane, handle) = ControlPlane::builder()
        .parts(Arc::clone(&parts))
        .state(Arc::clone(&from.state))
        .election(fittings.election(election(&from)?))
        .entropy(Arc::clone(&from.entropy))
        .failpoints(Arc::clone(&from.failpoints))
        .build()?;
    for worker in workers(&links, &projector, &leases, &beats, &from.clock) {
        plane = plane.with_worker(worker);
    }
    let handover = Arc::new(OwnerHandover::new(Arc::clone(&parts)));
    Ok(Assembled { plane, handle, parts, handover, links, projector, models, state: from.state })
}

fn recovery_parts(
    from: &Ingredients,
    fittings: &dyn Fittings,
    leases: &Arc<OwnershipLeases>,
    watch: &Arc<PeerWatch>,
    links: &BTreeMap<RegionId, Arc<StoreLink>>,
    projector: &Arc<Projector>,
) -> Result<RecoveryParts, Error> {
    let appends = Arc::new(GuardedAppends::new(
        from.region.clone(),
        Arc::clone(&from.treaty),
        Arc::clone(&from.store),
        Arc::clone(&from.clock),
        Arc::clone(&from.failpoints),
        Arc::new(Releases::new(Arc::clone(&from.state))),
        guards(from, fittings, leases)?,
    )?);
    let holdings: Arc<dyn LeaseHoldings> = Arc::clone(leases) as _;
    let slices_open = SlicesOpen {
        region: from.region.clone(),
        treaty: Arc::clone(&from.treaty),
        appends: Arc::clone(&appends),
        leases: Arc::clone(&holdings),
        clock: Arc::clone(&from.clock),
    };
    let probes: Vec<Arc<dyn HealthProbe>> = vec![
        Arc::new(slices_open),
        Arc::new(StoreAnswers { store: Arc::clone(&from.store) }),
        Arc::new(ProjectionsRun { replay: Arc::clone(projector) as _ }),
    ];
    Ok(RecoveryParts {
        region: from.region.clone(),
        treaty: Arc::clone(&from.treaty),
        signer: Arc::clone(&from.signer),
        clock: Arc::clone(&from.clock),
        witness: Arc::clone(&from.witness),
        store: Arc::clone(&from.store),
        appends,
        leases: holdings,
        peer_leases: Arc::clone(watch) as _,
        links: links.iter().map(|(source, link)| (source.clone(), Arc::clone(link) as Arc<dyn MirrorLink>)).collect(),
        replay: Arc::clone(projector) as _,
        peers: from.peers.clone(),
        probes,
        mandate: MandateCell::default(),
    })
}

fn guards(
    from: &Ingredients,
    fittings: &dyn Fittings,
    leases: &Arc<OwnershipLeases>,
) -> Result<Vec<Arc<dyn ResourceGuard>>, Error> {
    let mut guards: Vec<Arc<dyn ResourceGuard>> = Vec::new();
    for slice in from.treaty.slices() {
        let logs = from.treaty.logs_of(&slice, &from.region)?;
        let parts = GuardParts::new(
            from.region.clone(),
            guard_resource(&from.region, &slice)?,
            slice,
            Arc::clone(&from.state),
            from.treaty.keyring().clone(),
            Arc::clone(leases) as _,
            Arc::new(EventStoreSlice::new(Arc::clone(&from.store), logs)),
            Arc::clone(&from.clock),
        );
        guards.push(fittings.guard(SliceGuard::new(parts)?, Arc::clone(leases) as _));
    }
    Ok(guards)
}

fn links(from: &Ingredients) -> Result<BTreeMap<RegionId, Arc<StoreLink>>, Error> {
    let mut links = BTreeMap::new();
    for (source, peer) in &from.peers {
        let id = LinkId::new(format!("{source}-to-{}", from.region))?;
        let settings = LinkSettings::new(id, source.clone(), from.treaty.logs_by_origin(source))?;
        let ports = LinkPorts {
            source: Arc::clone(&peer.source),
            local: Arc::clone(&from.store),
            state: Arc::clone(&from.state),
            clock: Arc::clone(&from.clock),
            entropy: Arc::clone(&from.jitter),
        };
        links.insert(source.clone(), Arc::new(StoreLink::new(settings, ports)?));
    }
    Ok(links)
}

fn projector(from: &Ingredients, models: &Arc<StateModelStore>) -> Result<Projector, Error> {
    let logs = from.treaty.regions().iter().flat_map(|region| from.treaty.logs_by_origin(region)).collect();
    Projector::new(
        ProjectorSettings::new(logs)?.with_poll(READ_MODEL_POLL),
        Arc::clone(&from.store) as _,
        Arc::clone(models) as _,
        projections(),
        Arc::clone(&from.clock),
    )
}

fn election(from: &Ingredients) -> Result<StateStoreElection, Error> {
    StateStoreElection::new(
        from.region.clone(),
        from.holder.clone(),
        Arc::clone(&from.state),
        from.treaty.lease().clone(),
        Arc::clone(&from.clock),
        Arc::clone(&from.jitter),
    )
}

fn workers(
    links: &BTreeMap<RegionId, Arc<StoreLink>>,
    projector: &Arc<Projector>,
    leases: &Arc<OwnershipLeases>,
    beats: &Arc<Beats>,
    clock: &Arc<dyn Clock>,
) -> Vec<Worker> {
    let mut workers = Vec::new();
    for (source, link) in links {
        let link = Arc::clone(link);
        workers.push(Worker::new(format!("link from {source}"), move |stop| async move { link.run(stop).await }));
    }
    let projector = Arc::clone(projector);
    workers.push(Worker::new("projections", move |stop| async move { projector.run(stop).await }));
    let (renewing, holdings) = (Arc::clone(leases), Arc::clone(leases));
    workers.push(Worker::new("ownership leases", move |stop| async move { renewing.run(stop).await }));
    let (beats, clock) = (Arc::clone(beats), Arc::clone(clock));
    workers.push(Worker::new("heartbeats", move |stop| beats.run(holdings, clock, stop)));
    workers
}

//! One region: the canonical program. Copy it, and swap the parts that differ in yours.
//!
//! It holds the control plane, the stores, the link from the other region, the projections and the
//! endpoint that producers and the other region call. Here are arguments, assembly and printing;
//! there is no orchestration in it.

mod assembly;
mod drill_controls;
mod failpoints;
mod heartbeat;
mod lives;
mod model_evidence;
mod operations;
mod probes;
mod remote_handover;
mod seals;
mod settings;

use std::sync::Arc;

use dcp_core::Error;
use dcp_core::clock::{Clock, SeededEntropy, SystemClock};
use dcp_core::control_plane::Worker;
use dcp_core::recovery::Peer;
use dcp_core::remote::{Deadlines, RemoteEndpoint, RemoteServer, RemoteStateStore};
use dcp_core::state::embedded::{EmbeddedStateSettings, EmbeddedStateStore};
use dcp_core::treaty::Treaty;
use dcp_fencing::StateStoreWitness;
use tokio_util::sync::CancellationToken;

pub use assembly::{Assembled, Fittings, Ingredients, Plain, assemble, assemble_with, guard_resource};
pub use drill_controls::DrillControl;
pub use failpoints::{Arming, CrashAfter, Held, HeldFailpoints};
pub use lives::next_life;
pub use model_evidence::{ModelEvidence, ModelsFound, When};
pub use operations::{Ask, OrderRequest, RegionStatus};
pub use settings::{RegionArguments, RegionSettings, own_holder};

#[cfg(feature = "simulation")]
pub(crate) use seals::CheckedSeal;

pub(crate) use remote_handover::{from_body, to_body};

use crate::child::{Line, listen, stop_with_input, tell};
use crate::event_store;
use crate::foundation::{Door, make_folder, once_free};

/// Runs one region until its standard input ends. The parts are as they are with [`Plain`] fittings.
///
/// # Errors
/// What the settings, the stores or the plane answer, with the place.
pub async fn run(settings: RegionSettings, fittings: &dyn Fittings) -> Result<(), Error> {
    let (stop, treaty) = (CancellationToken::new(), settings.foundation.treaty()?);
    let folder = settings.foundation.region_folder(&settings.region);
    let bearer = |door| settings.foundation.bearer(door);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    make_folder(&folder)?;
    let state_at =
        |file: &str| EmbeddedStateStore::open(&EmbeddedStateSettings::new(folder.join(file), settings.region.clone()));
    let state = Arc::new(once_free(&*clock, || state_at("state.redb")).await?);
    let models = Arc::new(once_free(&*clock, || state_at("models.redb")).await?);
    let life = next_life(&*state).await?;
    let entropy = |purpose: &str| {
        let purpose = format!("{}/{purpose}/life {life}", settings.region);
        let drawn =
            settings.seed.map_or_else(SeededEntropy::from_system, |seed| Ok(SeededEntropy::new(seed, &purpose)));
        drawn.map(Arc::new)
    };
    // Never from the run's seed: a folder that is made anew holds another history.
    let never_alike = Arc::new(SeededEntropy::from_system()?);
    let marks = Arc::clone(&never_alike) as _;
    let events = event_store::open(&settings.events, &folder, &settings.region, &treaty, marks, &clock).await?;
    let store = fittings.store(events.store());

    let failpoints = Arc::new(HeldFailpoints::new(settings.crash_after.clone()));
    let (witness, mut peer) = neighbours(&settings, &treaty, &clock)?;
    peer.source = fittings.source(&settings.peer, peer.source, &store);
    let ingredients = Ingredients {
        region: settings.region.clone(),
        holder: settings.holder.clone(),
        signer: settings.foundation.signer(&settings.region)?,
        peers: [(settings.peer.clone(), peer)].into(),
        treaty,
        clock: Arc::clone(&clock),
        entropy: entropy("plane")?,
        jitter: entropy("jitter")?,
        marks: never_alike,
        failpoints: Arc::clone(&failpoints) as _,
        store,
        state: Arc::clone(&state) as _,
        models: Arc::clone(&models) as _,
        witness: Arc::new(witness),
    };
    let assembled = assemble_with(ingredients, fittings)?;
    let (projector, rows) = (Arc::clone(&assembled.projector), Arc::clone(&assembled.models));
    let appends = fittings.endpoint(Arc::clone(&assembled.parts.appends) as _, &assembled.parts);

    let ((listener, address), (for_appends, appends_address)) = (listen().await?, listen().await?);
    let producers = RemoteServer::new(bearer(Door::Appends)?, Arc::clone(&clock)).appends(Arc::clone(&appends));
    let mut server = operations::serve(&assembled, appends, bearer(Door::Region)?, &clock, &failpoints);
    let evidence = settings.drill_controls.then(|| ModelEvidence::in_folder(&folder));
    if let Some(evidence) = &evidence {
        server = drill_controls::offer(server, &assembled, &failpoints);
        evidence.note(&projector, &rows, life, When::Start).await?;
    }
    let plane = assembled
        .plane
        .with_worker(Worker::new("endpoint", move |stop| server.serve(listener, stop)))
        .with_worker(Worker::new("appends endpoint", move |stop| producers.serve(for_appends, stop)));
    tell(&Line::Ready { address, appends: Some(appends_address) });
    stop_with_input(&stop);
    let ended = plane.run(stop).await;
    if let (Some(evidence), Ok(())) = (&evidence, &ended) {
        evidence.note(&projector, &rows, life, When::Stop).await?;
    }
    events.close().await;
    state.close().await;
    models.close().await;
    ended
}

// Whom this region talks to, each over a socket and under the key of its door.
fn neighbours(
    settings: &RegionSettings,
    treaty: &Arc<Treaty>,
    clock: &Arc<dyn Clock>,
) -> Result<(StateStoreWitness, Peer), Error> {
    let endpoint = |address, door| {
        let deadlines = Deadlines::new(treaty.lease().request_deadline());
        RemoteEndpoint::new(address, &settings.foundation.bearer(door)?, deadlines, Arc::clone(clock))
    };
    let to_witness = endpoint(settings.witness, Door::Witness)?;
    let witness = StateStoreWitness::new(Arc::new(RemoteStateStore::new(to_witness)), Arc::clone(treaty));
    let to_peer = endpoint(settings.peer_address, Door::Region)?;
    Ok((witness, remote_handover::peer(&to_peer, treaty, &settings.peer)?))
}

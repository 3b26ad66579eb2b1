//! One region: the canonical program. Copy it, and swap the parts that differ in yours.
//!
//! It holds the control plane, the stores, the link from the other region, the projections and the
//! endpoint that producers and the other region call. Here are arguments, assembly and printing;
//! there is no orchestration in it.

mod assembly;
mod failpoints;
mod heartbeat;
mod lives;
mod operations;
mod probes;
mod remote_handover;
mod seals;
mod settings;

use std::sync::Arc;

use dcp_core::Error;
use dcp_core::clock::{Clock, SeededEntropy, SystemClock};
use dcp_core::ports::EventStore;
use dcp_core::remote::{Deadlines, RemoteEndpoint, RemoteStateStore};
use dcp_core::state::embedded::{EmbeddedStateSettings, EmbeddedStateStore};
use dcp_core::store::embedded::{EmbeddedEventSettings, EmbeddedEventStore};
use dcp_fencing::StateStoreWitness;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use assembly::{Assembled, Fittings, Ingredients, Plain, assemble, assemble_with, guard_resource};
pub use failpoints::{Arming, CrashAfter, Held, HeldFailpoints};
pub use lives::next_life;
pub use operations::{Ask, OrderRequest, RegionStatus};
pub use settings::{RegionArguments, RegionSettings};

#[cfg(feature = "simulation")]
pub(crate) use seals::CheckedSeal;

pub(crate) use remote_handover::{from_body, to_body};

use crate::drill::children::{Line, tell};
use crate::foundation::once_free;

/// Runs one region until its standard input ends. The parts are as they are with [`Plain`] fittings.
///
/// # Errors
/// What the settings, the stores or the plane answer, with the place.
pub async fn run(settings: RegionSettings, fittings: &dyn Fittings) -> Result<(), Error> {
    let stop = CancellationToken::new();
    let folder = settings.foundation.region_folder(&settings.region);
    let treaty = settings.foundation.treaty()?;
    let bearer = settings.foundation.bearer()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    std::fs::create_dir_all(&folder)
        .map_err(|cause| Error::stopped("unwritable-folder", format!("{}: {cause}", folder.display())))?;
    let state_at =
        |file: &str| EmbeddedStateStore::open(&EmbeddedStateSettings::new(folder.join(file), settings.region.clone()));
    let state = Arc::new(once_free(&*clock, || state_at("state.redb")).await?);
    let models = Arc::new(once_free(&*clock, || state_at("models.redb")).await?);
    let life = next_life(&*state).await?;
    let entropy = |purpose: &str| {
        let purpose = format!("{}/{purpose}/life {life}", settings.region);
        Arc::new(SeededEntropy::new(settings.seed, &purpose))
    };
    // Never from the run's seed: a folder that is made anew holds another history.
    let never_alike = Arc::new(SeededEntropy::from_system()?);
    let events =
        EmbeddedEventSettings::new(folder.join("events.redb"), settings.region.clone(), Arc::clone(&never_alike) as _);
    let events = Arc::new(once_free(&*clock, || EmbeddedEventStore::open(&events)).await?);
    let store = fittings.store(Arc::clone(&events) as Arc<dyn EventStore>);

    let deadlines = Deadlines::new(treaty.lease().request_deadline());
    let to_witness = RemoteEndpoint::new(settings.witness, &bearer, deadlines.clone(), Arc::clone(&clock))?;
    let to_peer = RemoteEndpoint::new(settings.peer_address, &bearer, deadlines, Arc::clone(&clock))?;
    let witness = StateStoreWitness::new(Arc::new(RemoteStateStore::new(to_witness)), Arc::clone(&treaty));
    let failpoints = Arc::new(HeldFailpoints::new(settings.crash_after.clone()));
    let mut peer = remote_handover::peer(&to_peer, &treaty, &settings.peer)?;
    peer.source = fittings.source(&settings.peer, peer.source, &store);
    let ingredients = Ingredients {
        region: settings.region.clone(),
        signer: settings.foundation.signer(&settings.region)?,
        peers: [(settings.peer.clone(), peer)].into(),
        treaty,
        clock: Arc::clone(&clock),
        entropy: entropy("plane"),
        jitter: entropy("jitter"),
        marks: never_alike,
        failpoints: Arc::clone(&failpoints) as _,
        store,
        state: Arc::clone(&state) as _,
        models: Arc::clone(&models) as _,
        witness: Arc::new(witness),
    };
    let assembled = assemble_with(ingredients, fittings)?;
    let appends = fittings.endpoint(Arc::clone(&assembled.parts.appends) as _, &assembled.parts);

    let listener =
        TcpListener::bind("127.0.0.1:0").await.map_err(|cause| Error::stopped("no-port", cause.to_string()))?;
    let address = listener.local_addr().map_err(|cause| Error::stopped("no-port", cause.to_string()))?;
    let server = operations::serve(&assembled, appends, bearer, &clock, &failpoints);
    let plane = assembled
        .plane
        .with_worker(dcp_core::control_plane::Worker::new("endpoint", move |stop| server.serve(listener, stop)));
    tell(&Line::Ready { address });
    crate::drill::children::stop_with_input(&stop);
    let ended = plane.run(stop).await;
    events.close().await;
    state.close().await;
    models.close().await;
    ended
}

//! The witness: a state store in a third place, and nothing else.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use dcp_core::Error;
use dcp_core::clock::{Clock, SystemClock};
use dcp_core::ids::RegionId;
use dcp_core::ports::{StateStore, Witness};
use dcp_core::remote::RemoteServer;
use dcp_core::state::embedded::{EmbeddedStateSettings, EmbeddedStateStore};
use dcp_fencing::StateStoreWitness;
use tokio_util::sync::CancellationToken;

use crate::child::{Line, listen, stop_with_input, tell};
use crate::foundation::{Door, Foundation, make_folder, once_free};

/// Arguments of `drill witness`.
#[derive(Debug, Clone, Args)]
pub struct WitnessArguments {
    /// Folder with the treaty and the witness's store.
    #[arg(long)]
    pub dir: PathBuf,
    /// Process id of the parent with which this one ends.
    #[arg(long)]
    pub parent: Option<u32>,
}

/// Runs the witness until its standard input ends. Writes the genesis of every slice if there is
/// none yet.
///
/// # Errors
/// What the foundation or the store answers, with the place.
pub async fn run(arguments: &WitnessArguments) -> Result<(), Error> {
    let foundation = Foundation::at(&arguments.dir);
    let folder = foundation.witness_folder();
    make_folder(&folder)?;
    let settings = EmbeddedStateSettings::new(folder.join("state.redb"), RegionId::new("witness")?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let store = Arc::new(once_free(&*clock, || EmbeddedStateStore::open(&settings)).await?);
    genesis(&foundation, &store).await?;

    let server = RemoteServer::new(foundation.bearer(Door::Witness)?, clock)
        .state_store(Arc::clone(&store) as Arc<dyn StateStore>);
    let (listener, address) = listen().await?;
    let stop = CancellationToken::new();
    stop_with_input(&stop);
    tell(&Line::Ready { address, appends: None });
    let served = server.serve(listener, stop).await;
    store.close().await;
    served
}

async fn genesis(foundation: &Foundation, store: &Arc<EmbeddedStateStore>) -> Result<(), Error> {
    let witness = StateStoreWitness::new(Arc::clone(store) as Arc<dyn StateStore>, foundation.treaty()?);
    for record in foundation.genesis()? {
        if witness.ownership(&record.slice).await?.is_none() {
            witness
                .claim(&[record], None)
                .await
                .map_err(|failure| Error::stopped("no-genesis", failure.to_string()))?;
        }
    }
    Ok(())
}

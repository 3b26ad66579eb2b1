//! A region's events in a Postgres database of its own.

use std::sync::Arc;
use std::time::Duration;

use dcp_core::clock::{Clock, Entropy};
use dcp_core::ids::RegionId;
use dcp_core::ports::EventStore;
use dcp_core::store::postgres::{PostgresEventSettings, PostgresEventStore, tokio_postgres};
use dcp_core::{Error, ErrorKind};

// A server that recovers from a crash answers that it is starting up.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

pub(super) async fn open(
    url: &str,
    region: &RegionId,
    entropy: Arc<dyn Entropy>,
    clock: &dyn Clock,
) -> Result<Arc<dyn EventStore>, Error> {
    let config: tokio_postgres::Config =
        url.parse().map_err(|cause| Error::invalid("bad-address", format!("{url}: {cause}")))?;
    let deadline = clock.now().after(PATIENCE);
    loop {
        let settings = PostgresEventSettings::new(region.clone());
        match PostgresEventStore::connect(config.clone(), settings, Arc::clone(&entropy)).await {
            Err(error) if error.kind() == ErrorKind::Retry && clock.now() < deadline => clock.sleep(POLL).await,
            opened => return Ok(Arc::new(opened?)),
        }
    }
}

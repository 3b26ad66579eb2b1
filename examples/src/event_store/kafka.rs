//! A region's events in topics of a Kafka cluster of its own.

use std::sync::Arc;
use std::time::Duration;

use dcp_core::clock::{Clock, Entropy};
use dcp_core::ids::RegionId;
use dcp_core::kafka::{KafkaClient, KafkaSettings, NewTopic};
use dcp_core::ports::EventStore;
use dcp_core::store::kafka::{KafkaEventSettings, KafkaEventStore};
use dcp_core::treaty::Treaty;
use dcp_core::{Error, ErrorKind, Failure};

use crate::orders::PARTITIONS;

const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);
// One broker a region.
const REPLICAS: i16 = 1;
/// The largest batch that a topic takes: links send what they have read together.
const BATCH_BYTES_MAX: &str = "4194304";

pub(super) async fn open(
    bootstrap: &str,
    region: &RegionId,
    treaty: &Treaty,
    entropy: Arc<dyn Entropy>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn EventStore>, Error> {
    let settings = KafkaSettings::new(bootstrap.split(','));
    let client = KafkaClient::new(settings, Arc::clone(clock), Arc::clone(&entropy))?;
    let peers = treaty.regions().into_iter().filter(|peer| peer != region);
    let store = KafkaEventSettings::new(region.clone()).with_peers(peers);
    let store = treaty.scopes().keys().cloned().fold(store, KafkaEventSettings::with_scope);
    let deadline = clock.now().after(PATIENCE);
    loop {
        let opened = async {
            lay(&client, region, treaty).await?;
            KafkaEventStore::open(client.clone(), store.clone(), Arc::clone(&entropy), Arc::clone(clock)).await
        };
        match opened.await {
            Err(error) if error.kind() == ErrorKind::Retry && clock.now() < deadline => clock.sleep(POLL).await,
            opened => return Ok(Arc::new(opened?)),
        }
    }
}

/// Makes the users' topics of a region that are not there: its own log of each scope, and the mirror of
/// each peer's. A platform's team makes its own by its own rules; these never delete anything.
async fn lay(client: &KafkaClient, region: &RegionId, treaty: &Treaty) -> Result<(), Error> {
    let mut topics = Vec::new();
    for scope in treaty.scopes().keys() {
        for origin in treaty.regions() {
            let name = if origin == *region { scope.to_string() } else { format!("{origin}.{scope}") };
            let partitions = i32::try_from(PARTITIONS).unwrap_or(i32::MAX);
            let topic = NewTopic::new(name, partitions, REPLICAS)
                .with_config("retention.ms", "-1")
                .with_config("max.message.bytes", BATCH_BYTES_MAX);
            topics.push(topic);
        }
    }
    let outcomes = client.create_topics(&topics).await.map_err(of)?;
    for (_, outcome) in outcomes {
        match outcome.map_err(of) {
            Err(error) if error.code() != "topic-exists" => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

// Asked again, it is there or made.
fn of(failure: Failure) -> Error {
    match failure {
        Failure::NotApplied(error) => error,
        Failure::InDoubt(doubt) => Error::retry("topics-in-doubt", doubt.to_string()),
    }
}

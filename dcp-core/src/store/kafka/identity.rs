//! The store's own record: written once, by whoever comes first.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::cluster::Cluster;
use super::producer::{Producer, is_fenced, is_lost};
use super::state::{FORMAT, Identity, STORE};
use super::state_topic::StateTopic;
use super::topics;
use crate::clock::Entropy;
use crate::error::{Error, Failure};
use crate::position::LogIncarnation;

/// How often others may come first.
const ATTEMPTS: u32 = 5;

/// Reads the store's identity, or gives it one.
pub(super) async fn establish(cluster: &Cluster, entropy: &dyn Entropy) -> Result<(StateTopic, LogIncarnation), Error> {
    let topic = topics::ensure_state(cluster).await?;
    let state = StateTopic::new(&topic, topics::state_record_max(cluster, &topic.name).await?);
    check_transactions(cluster).await?;
    // Whoever began to make it and died holds nobody up.
    if let Some(incarnation) = read(cluster, state.get_soon(cluster, STORE).await?, &state)? {
        return Ok((state, incarnation));
    }
    for _ in 0..ATTEMPTS {
        match make(cluster, &state, entropy).await {
            Ok(incarnation) => return Ok((state, incarnation)),
            Err(Failure::NotApplied(error)) if !is_lost(&error) => return Err(error),
            // Another process makes it, or nobody knows: reading shows.
            Err(_) => {}
        }
        if let Some(incarnation) = read(cluster, state.get_soon(cluster, STORE).await?, &state)? {
            return Ok((state, incarnation));
        }
    }
    Err(Error::retry("store-in-making", "others make this store at the same time; open it again"))
}

fn read(cluster: &Cluster, held: Option<Bytes>, state: &StateTopic) -> Result<Option<LogIncarnation>, Error> {
    held.map(|value| Identity::read(&value, &cluster.settings.region, state.count())).transpose()
}

// Whoever takes the id later looks again, and whoever took it before can commit no more.
async fn make(cluster: &Cluster, state: &StateTopic, entropy: &dyn Entropy) -> Result<LogIncarnation, Failure> {
    let refused = Failure::NotApplied;
    let mut producer = Producer::take(cluster, cluster.names.store_transactional_id("store")).await?;
    let held = state.get(cluster, STORE).await.map_err(refused)?;
    if let Some(incarnation) = read(cluster, held, state).map_err(refused)? {
        return Ok(incarnation);
    }
    let incarnation = LogIncarnation::from_bytes(drawn(entropy));
    let identity = Identity {
        format: FORMAT,
        region: cluster.settings.region.clone(),
        incarnation: hex::encode(incarnation.as_bytes()),
        partitions: state.count(),
    };
    let value = identity.write().map_err(refused)?;
    producer.set(state, &BTreeMap::from([(STORE.to_owned(), value)])).await?;
    Ok(incarnation)
}

fn drawn(entropy: &dyn Entropy) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&entropy.draw()[..16]);
    bytes
}

/// Refuses a cluster that cannot keep two transactions of one producer apart.
async fn check_transactions(cluster: &Cluster) -> Result<(), Error> {
    let id: Arc<str> = cluster.names.store_transactional_id("probe");
    let probed = async {
        let mut producer = Producer::take(cluster, id).await?;
        producer.confirm().await
    };
    match probed.await {
        Ok(()) => Ok(()),
        // Another process has just probed: it is as good.
        Err(Failure::NotApplied(error)) if is_fenced(&error) => Ok(()),
        Err(Failure::NotApplied(error)) if error.code() == "transaction-state" => Err(Error::refused(
            "old-transactions",
            format!("the cluster's transaction.version is below 2: upgrade the feature ({error})"),
        )),
        Err(Failure::NotApplied(error)) => Err(error),
        Err(Failure::InDoubt(doubt)) => Err(Error::retry("no-answer", doubt.to_string())),
    }
}

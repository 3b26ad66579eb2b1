//! The store's own record: written once, by whoever comes first.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cluster::Cluster;
use super::producer::{Producer, is_fenced};
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
    for _ in 0..ATTEMPTS {
        if let Some(incarnation) = read(cluster, &state).await? {
            return Ok((state, incarnation));
        }
        match make(cluster, &state, entropy).await {
            Ok(()) => {}
            Err(Failure::NotApplied(error)) if !is_fenced(&error) => return Err(error),
            // Another process makes it, or nobody knows: reading shows.
            Err(_) => {}
        }
    }
    Err(Error::retry("store-in-making", "others make this store at the same time; open it again"))
}

async fn read(cluster: &Cluster, state: &StateTopic) -> Result<Option<LogIncarnation>, Error> {
    let value = state.get(cluster, STORE).await?;
    value.map(|value| Identity::read(&value, &cluster.settings.region, state.count())).transpose()
}

// Whoever takes the id later looks again, and whoever took it before can commit no more.
async fn make(cluster: &Cluster, state: &StateTopic, entropy: &dyn Entropy) -> Result<(), Failure> {
    let mut producer = Producer::take(cluster, cluster.names.store_transactional_id("store")).await?;
    if read(cluster, state).await.map_err(Failure::NotApplied)?.is_some() {
        return Ok(());
    }
    let identity = Identity {
        format: FORMAT,
        region: cluster.settings.region.clone(),
        incarnation: hex::encode(&entropy.draw()[..16]),
        partitions: state.count(),
    };
    let value = identity.write().map_err(Failure::NotApplied)?;
    producer.set(state, &BTreeMap::from([(STORE.to_owned(), value)])).await
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

//! Gathers the evidence: opens what the processes have left, reads it once, closes it again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dcp_core::Error;
use dcp_core::ids::RegionId;
use dcp_core::ports::{StateStore, Witness};
use dcp_core::runbook::{Record, verify_export};
use dcp_core::treaty::Treaty;
use dcp_fencing::witness::StateStoreWitness;
use dcp_replay::StateModelStore;

use super::fold::fold;
use super::gathered::Gathered;
use super::history::{Chains, Link, Story};
use super::logs::Logs;
use super::models_found::Found;
use super::table::StoreTable;
use super::told::Told;
use crate::drill::export::exported;
use crate::drill::stores::{self, EventStores};
use crate::foundation::Foundation;
use crate::orders::{Home, Orders, ReadModels, expected, read_models};
use crate::region::ModelEvidence;

/// Reads everything. Beside it: contradictions that do not keep the rest from being judged.
pub(super) async fn gather(dir: &Path, orders: &Orders) -> Result<(Gathered, Vec<String>), Error> {
    let foundation = Foundation::at(dir);
    let treaty = foundation.treaty()?;
    let logs = Logs::of(&treaty)?;
    let lines = u32::try_from(orders.len())
        .map_err(|_| Error::invalid("too-many-lines", format!("{} lines cannot be judged", orders.len())))?;
    let (mut store_tables, mut models) = (BTreeMap::new(), BTreeMap::new());
    let (mut folded, mut found) = (BTreeMap::new(), BTreeMap::new());
    let stores = EventStores::of(dir, &Home::ALL).await?;
    for home in Home::ALL {
        let region = home.region_id();
        let table = store_table(&stores, home, &logs, orders).await?;
        folded.insert(home, fold(&logs, &table, orders));
        let noted = ModelEvidence::in_folder(&foundation.region_folder(&region)).read()?;
        found.insert(home, noted.iter().map(|noted| Found::of(noted, &logs, &table, orders)).collect());
        store_tables.insert(home, table);
        models.insert(home, models_of(&foundation, &region).await?);
    }
    stores.close().await;
    let (story, contradictions) = story(dir, &treaty)?;
    let gathered = Gathered {
        told: Told::read(&dir.join("acks"), &logs, lines)?,
        chains: chains(&foundation, &treaty).await?,
        expected: expected(orders.iter())?,
        logs,
        lines,
        stores: store_tables,
        story,
        models,
        folded,
        found,
    };
    Ok((gathered, contradictions))
}

async fn store_table(stores: &EventStores, home: Home, logs: &Logs, orders: &Orders) -> Result<StoreTable, Error> {
    let store = stores.open(home).await?;
    let table = StoreTable::read(&*store.store(), logs, orders).await;
    store.close().await;
    table.map_err(|error| error.at(home.region()))
}

async fn models_of(foundation: &Foundation, region: &RegionId) -> Result<ReadModels, Error> {
    let state = stores::state(&foundation.region_folder(region), "models.redb", region)?;
    let store = StateModelStore::new(Arc::clone(&state) as Arc<dyn StateStore>, "models")?;
    let models = read_models(Arc::new(store)).await;
    state.close().await;
    models.map_err(|error| error.at(region))
}

// The chains verify as they are read: signatures, digests, succession.
async fn chains(foundation: &Foundation, treaty: &Arc<Treaty>) -> Result<Chains, Error> {
    let state = stores::state(&foundation.witness_folder(), "state.redb", &RegionId::new("witness")?)?;
    let witness = StateStoreWitness::new(Arc::clone(&state) as Arc<dyn StateStore>, Arc::clone(treaty));
    let read = async {
        let mut chains = Chains::new();
        for slice in treaty.slices() {
            let chain = witness.chain(&slice).await?;
            let links = chain.iter().map(|grant| Link::of(grant)).collect::<Result<Vec<_>, _>>()?;
            chains.insert(slice, links);
        }
        Ok(chains)
    };
    let chains = read.await;
    state.close().await;
    chains.map_err(|error: Error| error.at("witness"))
}

// A journal that does not verify is a contradiction; what it says is judged all the same.
fn story(dir: &Path, treaty: &Treaty) -> Result<(Story, Vec<String>), Error> {
    let (mut stories, mut contradictions) = (Vec::new(), Vec::new());
    for home in Home::ALL {
        let region = home.region_id();
        let lines = exported(dir, &region)?;
        if let Err(error) = verify_export(&lines, treaty.keyring().local(&region)?) {
            contradictions.push(format!("the journal of {region} does not verify: {error}"));
        }
        let records = lines.iter().map(|line| line.record()).collect::<Result<Vec<Record>, _>>()?;
        stories.push(Story::of(home, &records));
    }
    Ok((Story::merged(stories), contradictions))
}

#[cfg(test)]
mod tests;

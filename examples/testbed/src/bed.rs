//! A set of real servers on loopback, started together, that dies with the process that holds it.

mod cluster_id;
mod folder;
mod kept;
mod members;
mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::address::Address;
use crate::error::Error;
use crate::layout::{Group, Wanted, groups};
use crate::network::Network;
use crate::obtain::{NAMESPACES, Progress, SMALL_DISKS, lacking, missing, obtain};
use crate::place::can_keep;
use crate::proxy::Proxy;
use crate::server::{Disk, Place, Server};
use crate::tls::Tls;
use folder::Folder;

/// Running servers. Letting go of it kills them and removes their data, unless those are kept.
#[derive(Debug)]
pub struct Bed {
    // The proxies go first, then the servers, the network, and the folder that holds their data.
    proxies: Mutex<BTreeMap<String, Arc<Proxy>>>,
    servers: Vec<Arc<Server>>,
    network: Option<Network>,
    tls: Tls,
    _folder: Folder,
}

impl Bed {
    /// Obtains what is not there yet, starts everything at once and waits until each server serves.
    ///
    /// # Errors
    /// [`Error::Missing`] names what is not installed and the cure; [`Error::NotReady`] has the end of the
    /// log of the server that does not serve. Nothing is left running then.
    pub fn start(wanted: &Wanted, progress: Progress<'_>) -> Result<Self, Error> {
        let groups = groups(wanted)?;
        let homes = homes(&groups, progress)?;
        Self::serve(wanted, &groups, &homes, Folder::fresh()?, progress)
    }

    /// As [`Bed::start`], with data in a folder that stays: a bed that is opened there again, by this
    /// process or after `kill -9` of it by another one, starts the servers on the data that they had.
    /// Ports and addresses are new each time.
    ///
    /// # Errors
    /// As [`Bed::start`]; [`Error::Kept`] if another bed is open in the folder, or if it holds other
    /// servers or other versions of them.
    pub fn open(folder: &Path, wanted: &Wanted, progress: Progress<'_>) -> Result<Self, Error> {
        let groups = groups(wanted)?;
        let homes = homes(&groups, progress)?;
        Self::serve(wanted, &groups, &homes, Folder::kept(folder)?, progress)
    }

    fn serve(
        wanted: &Wanted,
        groups: &[Group],
        homes: &BTreeMap<&'static str, PathBuf>,
        folder: Folder,
        progress: Progress<'_>,
    ) -> Result<Self, Error> {
        groups.iter().try_for_each(|group| can_keep(group.recipe, folder.path()))?;
        let clusters = kept::clusters(&folder, groups)?;
        if let Some(missing) = wanted.disk_bytes.and_then(|_| lacking(SMALL_DISKS)) {
            return Err(missing);
        }
        let network = wanted.namespaces.then(|| network(groups, &folder)).transpose()?;
        let (mut places, mut hosts) = (BTreeMap::new(), Vec::new());
        for name in groups.iter().map(Group::place) {
            let place = place(network.as_ref(), name)?;
            hosts.push(place.host.to_string());
            places.insert(name, place);
        }
        let tls = Tls::write(folder.path().join("tls"), &hosts)?;
        let mut servers = Vec::new();
        for group in groups {
            let ground = members::Ground {
                home: &homes[group.recipe.name],
                tls: &tls,
                data: folder.path(),
                cluster: &clusters[&group.name],
                place: &places[group.place()],
            };
            for mut member in members::of(group, &ground)? {
                if let Some(bytes) = wanted.disk_bytes {
                    let log = folder.path().join(format!("disk-{}.log", member.name));
                    member.disk = Some(Disk::mount(member.data.join(member.recipe.stores_in), bytes, &log)?);
                }
                let ports = member.ports.iter();
                ports.for_each(|(name, port)| {
                    network.iter().for_each(|network| network.listens(group.place(), name, port.number()))
                });
                servers.push(Arc::new(Server::of(member)));
            }
        }
        let bed = Self { proxies: Mutex::default(), servers, network, tls, _folder: folder };
        bed.each(|server| server.member().prepare().and_then(|()| server.launch()))?;
        bed.each(|server| {
            server.wait_ready()?;
            progress(&format!("{} serves", server.name()));
            Ok(())
        })?;
        Ok(bed)
    }

    // All at once: a member of a cluster serves only when the others do.
    fn each(&self, act: impl Fn(&Server) -> Result<(), Error> + Sync) -> Result<(), Error> {
        std::thread::scope(|scope| {
            let running: Vec<_> = self.servers.iter().map(|server| scope.spawn(|| act(server))).collect();
            let mut ended = running.into_iter().map(|thread| thread.join());
            // A panic of a thread goes on in this one.
            ended.try_for_each(|ended| ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    fn proxies(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Proxy>>> {
        self.proxies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All servers.
    #[must_use]
    pub fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// The server of that name, such as `postgres-b` or `witness-2`.
    ///
    /// # Errors
    /// [`Error::Unknown`] names those that there are.
    pub fn server(&self, name: &str) -> Result<Arc<Server>, Error> {
        let found = self.servers.iter().find(|server| server.name() == name);
        found.cloned().ok_or_else(|| {
            let known: Vec<_> = self.servers.iter().map(|server| server.name()).collect();
            Error::Unknown { what: format!("server {name}"), known: known.join(", ") }
        })
    }

    /// The network of a testbed that was asked for [`Wanted::with_namespaces`].
    ///
    /// # Errors
    /// [`Error::Unknown`] if it was not.
    pub fn network(&self) -> Result<&Network, Error> {
        let none = || Error::Unknown { what: "network namespace".to_owned(), known: "only loopback".to_owned() };
        self.network.as_ref().ok_or_else(none)
    }

    /// Certificates for clients of the TLS listeners.
    #[must_use]
    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Where everything is, as data.
    ///
    /// # Errors
    /// Only if a recipe names a placeholder that nobody fills.
    pub fn addresses(&self) -> Result<Vec<Address>, Error> {
        self.servers.iter().map(|server| Address::of(server.member(), &self.tls)).collect()
    }
}

fn network(groups: &[Group], folder: &Folder) -> Result<Network, Error> {
    if let Some(missing) = lacking(NAMESPACES) {
        return Err(missing);
    }
    let places: BTreeSet<_> = groups.iter().map(|group| group.place().to_owned()).collect();
    Network::make(&places.into_iter().collect::<Vec<_>>(), &folder.path().join("network.log"))
}

fn place(network: Option<&Network>, name: &str) -> Result<Place, Error> {
    let Some(network) = network else { return Ok(Place::loopback()) };
    Ok(Place { host: network.address(name)?, clients: network.range(), entering: network.entering(name)? })
}

fn homes(groups: &[Group], progress: Progress<'_>) -> Result<BTreeMap<&'static str, PathBuf>, Error> {
    let mut homes = BTreeMap::new();
    for group in groups {
        if homes.contains_key(group.recipe.name) {
            continue;
        }
        if let Some(missing) = missing(group.recipe) {
            return Err(missing);
        }
        homes.insert(group.recipe.name, obtain(group.recipe, progress)?);
    }
    Ok(homes)
}

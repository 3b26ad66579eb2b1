//! A set of real servers on loopback, started together, that dies with the process that holds it.

mod cluster_id;
mod folder;
mod kept;
mod members;
mod plan;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::address::Address;
use crate::error::Error;
use crate::layout::{Group, Wanted, groups};
use crate::obtain::{Progress, missing, obtain};
use crate::proxy::Proxy;
use crate::server::Server;
use crate::tls::Tls;
use folder::Folder;

/// Running servers. Letting go of it kills them and removes their data, unless those are kept.
#[derive(Debug)]
pub struct Bed {
    // The proxies go first, then the servers, then the folder that holds their data.
    proxies: Mutex<BTreeMap<String, Arc<Proxy>>>,
    servers: Vec<Arc<Server>>,
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
        Self::serve(&groups, &homes, Folder::fresh()?, progress)
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
        Self::serve(&groups, &homes, Folder::kept(folder)?, progress)
    }

    fn serve(
        groups: &[Group],
        homes: &BTreeMap<&'static str, PathBuf>,
        folder: Folder,
        progress: Progress<'_>,
    ) -> Result<Self, Error> {
        let clusters = kept::clusters(&folder, groups)?;
        let tls = Tls::write(folder.path().join("tls"))?;
        let mut servers = Vec::new();
        for group in groups {
            let place = members::Place {
                home: &homes[group.recipe.name],
                tls: &tls,
                data: folder.path(),
                cluster: &clusters[&group.name],
            };
            let members = members::of(group, &place)?;
            servers.extend(members.into_iter().map(|member| Arc::new(Server::of(member))));
        }
        let bed = Self { proxies: Mutex::default(), servers, tls, _folder: folder };
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

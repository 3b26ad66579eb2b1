//! A fault plan done to a testbed's servers.

use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::clock::Clock;
use dcp_core::testing::faults::{self, FaultKind, FaultPlan, Fired, NotFired, World};

use super::Bed;
use crate::error::Error;
use crate::proxy::Proxy;
use crate::server::Server;

impl Bed {
    /// Does each fault of the plan to these servers, at its time by that clock. A place is a server
    /// (`postgres-a`), a region (`a`: all its servers) or the `witness` (all its members); for a cut it is a
    /// region, the `witness` or the `test` itself; ports are the recipe's. What is done to a `link` needs a proxy of [`Bed::proxy`] in front of each of the servers, and
    /// a `cut` needs network namespaces.
    ///
    /// # Errors
    /// [`NotFired`] names the first fault that had no effect, with what was done before it: a place that there
    /// is not, a server that does not run or is paused and is to be paused, one that runs and is to go on or to be started again,
    /// a reset where no connection is open, a cut that is healed and has dropped no packet. Whether anything passes under a
    /// condition of a link is not asked: [`Proxy::traffic`] tells.
    ///
    /// # Cancel safety
    /// Dropping it leaves the servers as hurt as they are then; a start that is under way goes on.
    pub async fn run(self: &Arc<Self>, plan: &FaultPlan, clock: &dyn Clock) -> Result<Vec<Fired>, NotFired> {
        faults::run(plan, clock, &mut Servers(Arc::clone(self))).await
    }

    /// A seeded proxy in front of a server. It stays as long as the testbed; a fault plan steers it. Asked
    /// again, it is the same one, and its seed the first.
    ///
    /// # Errors
    /// [`Error::Unknown`] if there is no such server; [`Error::Io`] if the proxy cannot listen.
    pub fn proxy(&self, server: &str, seed: u64) -> Result<Arc<Proxy>, Error> {
        let server = self.server(server)?;
        let mut proxies = self.proxies();
        if let Some(proxy) = proxies.get(server.name()) {
            return Ok(Arc::clone(proxy));
        }
        let proxy = Arc::new(server.proxy(seed)?);
        proxies.insert(server.name().to_owned(), Arc::clone(&proxy));
        Ok(proxy)
    }

    fn strike(&self, kind: &FaultKind) -> Result<(), String> {
        let each = |place: &str, act: &dyn Fn(&Server) -> Result<(), Error>| {
            self.at(place)?.iter().try_for_each(|server| act(server).map_err(|error| error.to_string()))
        };
        match kind {
            FaultKind::Pause { place } => each(place, &Server::pause),
            FaultKind::Resume { place } => each(place, &Server::resume),
            FaultKind::Kill { place } => each(place, &Server::kill),
            FaultKind::Restart { place } => self.restart(place),
            FaultKind::Link { place, direction, conditions } => self.each_proxy(place, &|proxy| {
                proxy.set(*direction, *conditions);
                Ok(())
            }),
            FaultKind::Reset { place } => self.each_proxy(place, &|proxy| match proxy.reset() {
                0 => Err("no connection by it is open".to_owned()),
                _ => Ok(()),
            }),
            FaultKind::Cut { from, to, port } => {
                let network = self.network().map_err(|error| error.to_string())?;
                network.cut(from, to, port.as_deref()).map_err(|error| error.to_string())
            }
            FaultKind::Heal { from, to, port } => {
                let network = self.network().map_err(|error| error.to_string())?;
                match network.heal(from, to, port.as_deref()).map_err(|error| error.to_string())? {
                    0 => Err("it is healed, but the cut has hit nothing: no packet was dropped".to_owned()),
                    _ => Ok(()),
                }
            }
            other => Err(format!("the testbed has no such fault: {other}")),
        }
    }

    // All at once: the members of a cluster wait for each other.
    fn restart(&self, place: &str) -> Result<(), String> {
        let servers = self.at(place)?;
        if let Some(running) = servers.iter().find(|server| server.pid().is_some()) {
            return Err(format!("{} runs", running.name()));
        }
        servers.iter().try_for_each(|server| server.launch()).map_err(|error| error.to_string())?;
        servers.iter().try_for_each(|server| server.wait_ready()).map_err(|error| error.to_string())
    }

    fn each_proxy(&self, place: &str, act: &dyn Fn(&Proxy) -> Result<(), String>) -> Result<(), String> {
        let proxies = self.proxies();
        self.at(place)?.iter().try_for_each(|server| {
            let proxy =
                proxies.get(server.name()).ok_or_else(|| format!("no proxy is in front of {}", server.name()))?;
            act(proxy).map_err(|why| format!("the proxy in front of {}: {why}", server.name()))
        })
    }

    // The servers of a place.
    fn at(&self, place: &str) -> Result<Vec<&Arc<Server>>, String> {
        let of = |server: &&Arc<Server>| {
            let member = server.member();
            [Some(member.name.as_str()), member.region.as_deref(), Some(member.group.as_str())].contains(&Some(place))
        };
        let servers: Vec<_> = self.servers.iter().filter(of).collect();
        if servers.is_empty() {
            let known: Vec<_> = self.servers.iter().map(|server| server.name()).collect();
            return Err(format!("no server or region is called {place}; there is {}", known.join(", ")));
        }
        Ok(servers)
    }
}

struct Servers(Arc<Bed>);

#[async_trait]
impl World for Servers {
    async fn strike(&mut self, kind: &FaultKind) -> Result<(), String> {
        // A start takes seconds, in which the caller's other tasks go on.
        let (bed, kind) = (Arc::clone(&self.0), kind.clone());
        let struck = tokio::task::spawn_blocking(move || bed.strike(&kind)).await;
        struck.unwrap_or_else(|error| Err(error.to_string()))
    }
}

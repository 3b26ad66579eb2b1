//! The servers that hold the regions' events, where a file does not: one cluster for each region, its data
//! below the run's folder, so that a run that was killed finds them again. They die with the drill.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dcp_core::Error;
use dcp_core::clock::{Clock as _, SystemClock};
use dcp_core::tasks::TaskGroup;
use futures::future::{join_all, try_join_all};

use super::progress::Say;
use super::record::Dark;
use crate::event_store::{EventsAt, StoreKind};
use crate::orders::Home;
use cluster::Cluster;

#[cfg(feature = "servers")]
mod cluster;
#[cfg(not(feature = "servers"))]
#[path = "servers/not_built.rs"]
mod cluster;

const WATCHED_EVERY: Duration = Duration::from_millis(200);

/// The servers of one run, or of the look into one that has ended. Letting go of them kills them; their
/// data stay.
#[derive(Debug)]
pub struct Servers {
    kind: StoreKind,
    folder: PathBuf,
    say: Say,
    // Each in a network namespace, with its region's processes.
    apart: bool,
    clusters: BTreeMap<Home, Running>,
}

#[derive(Debug, Clone)]
struct Running {
    cluster: Arc<Cluster>,
    // Whether its end is: nobody is told of it then.
    planned: Arc<AtomicBool>,
}

impl Running {
    fn ended_unplanned(&self) -> Option<Error> {
        let how = self.cluster.ended()?;
        // Asked after the end was seen: a planned end is planned before it comes.
        let planned = self.planned.load(Ordering::SeqCst);
        (!planned).then(|| Error::stopped("server-ended", format!("{} ended unplanned: {how}", self.cluster)))
    }
}

/// Where a region's network namespace meets the rest of the machine.
#[derive(Debug, Clone)]
pub struct Border {
    /// What stands before a command that is run inside.
    pub enter: Vec<String>,
    /// The address on the inner side.
    pub inside: IpAddr,
    /// The address on the outer side.
    pub outside: IpAddr,
}

/// Refuses a darkness that cannot be made here.
///
/// # Errors
/// `Invalid`: `bad-dark` for a store without a server, `tool-missing` with the command that cures it.
pub fn check_dark(kind: StoreKind, dark: Option<Dark>) -> Result<(), Error> {
    match (dark, kind) {
        (Some(Dark::Network), StoreKind::Embedded) => Err(Error::invalid(
            "bad-dark",
            "--dark network: a region goes dark with its server; add --store postgres or --store kafka",
        )),
        (Some(Dark::Network), _) => cluster::check_network(),
        _ => Ok(()),
    }
}

/// Refuses a run's folder whose path a server of that kind does not stand.
///
/// # Errors
/// `Invalid` (`bad-folder`) names the character.
pub fn check(kind: StoreKind, out: &Path) -> Result<(), Error> {
    if kind == StoreKind::Embedded { Ok(()) } else { cluster::check(kind, out) }
}

/// Checks that the servers of a kind can be started here, and obtains them if they were not yet.
///
/// # Errors
/// `Invalid` (`tool-missing`) with the command that cures it; `Stopped` if a download failed.
pub fn obtain(kind: StoreKind, say: &Say) -> Result<(), Error> {
    if kind == StoreKind::Embedded { Ok(()) } else { cluster::obtain(kind, say) }
}

// Starting and killing wait for processes: not on the threads that everything else runs on.
async fn aside<T: Send + 'static>(act: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    let ended = tokio::task::spawn_blocking(act).await;
    ended.map_err(|cause| Error::stopped("server", cause.to_string()))?
}

impl Servers {
    /// The servers of the run in a folder; none runs yet.
    #[must_use]
    pub fn of(kind: StoreKind, out: &Path, say: Say) -> Self {
        Self { kind, folder: out.join("servers"), say, apart: false, clusters: BTreeMap::new() }
    }

    /// The same, each in a network namespace of its own that can be [cut off](Servers::cut_off).
    #[must_use]
    pub fn apart(self, apart: bool) -> Self {
        Self { apart, ..self }
    }

    /// Where the data of a region's server are, once it was started.
    #[must_use]
    pub fn data(&self, home: Home) -> PathBuf {
        self.folder.join(home.region())
    }

    /// Starts the servers of these regions, all at once, on the data that they had, and waits until they
    /// serve; those that run go on.
    ///
    /// # Errors
    /// `Invalid` for a tool that is missing; `Refused` (`in-use`) while they run for another drill;
    /// `Stopped` with the end of a server's log if it does not serve in time.
    pub async fn start(&mut self, homes: &[Home]) -> Result<(), Error> {
        if self.kind == StoreKind::Embedded {
            return Ok(());
        }
        let starts = homes.iter().map(|home| {
            let there = self.clusters.get(home).map(|running| Arc::clone(&running.cluster));
            let (home, kind, say, folder) = (*home, self.kind, self.say.clone(), self.data(*home));
            let apart = self.apart;
            aside(move || {
                let began = SystemClock::monotonic().now();
                let cluster = match there {
                    Some(cluster) if cluster.ended().is_none() => return Ok((home, cluster)),
                    Some(cluster) => {
                        cluster.start()?;
                        cluster
                    }
                    None => Arc::new(Cluster::open(kind, &folder, apart, &say)?),
                };
                let took = SystemClock::monotonic().now().since(began).as_secs_f64();
                say.line(&format!("{cluster} of {} serves after {took:.1} s", home.region()));
                Ok((home, cluster))
            })
        });
        for (home, cluster) in try_join_all(starts).await? {
            self.clusters.insert(home, Running { cluster, planned: Arc::default() });
        }
        Ok(())
    }

    /// Where a region's events are.
    ///
    /// # Errors
    /// `Retry` if its server was not started.
    pub fn events(&self, home: Home) -> Result<EventsAt, Error> {
        match self.clusters.get(&home) {
            _ if self.kind == StoreKind::Embedded => Ok(EventsAt::Folder),
            Some(running) => running.cluster.events(),
            None => Err(Error::retry("not-running", format!("the server of {} does not run", home.region()))),
        }
    }

    /// The border of a region's network namespace; none where it has none.
    ///
    /// # Errors
    /// `Retry` if its server was not started.
    pub fn border(&self, home: Home) -> Result<Option<Border>, Error> {
        match self.clusters.get(&home) {
            _ if !self.apart => Ok(None),
            Some(running) => running.cluster.border().map(Some),
            None => Err(Error::retry("not-running", format!("the server of {} does not run", home.region()))),
        }
    }

    /// From here on the kernel drops every packet across a region's border, without a word to either side.
    ///
    /// # Errors
    /// `Stopped` if the rules cannot be set.
    pub async fn cut_off(&self, home: Home) -> Result<(), Error> {
        self.each(home, false, Cluster::cut_off).await
    }

    /// Lets packets through again; answers how many were dropped, in and out.
    ///
    /// # Errors
    /// `Stopped` if the rules cannot be taken away.
    pub async fn reconnect(&self, home: Home) -> Result<(u64, u64), Error> {
        let running = self.clusters.get(&home).cloned();
        let Running { cluster, .. } = running.ok_or_else(|| Error::retry("not-running", home.region().to_owned()))?;
        aside(move || cluster.reconnect()).await
    }

    /// From here on an unplanned end of a region's server stops the group.
    pub fn watch(&self, home: Home, tasks: &mut TaskGroup) {
        let Some(running) = self.clusters.get(&home).cloned() else { return };
        let (stop, clock) = (tasks.stop_token(), SystemClock::new());
        tasks.spawn(format!("server of {}", home.region()), async move {
            loop {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return Ok(()),
                    () = clock.sleep(WATCHED_EVERY) => {}
                }
                if running.planned.load(Ordering::SeqCst) {
                    return Ok(());
                }
                if let Some(error) = running.ended_unplanned() {
                    stop.cancel();
                    return Err(error);
                }
            }
        });
    }

    /// What a watcher of them says, asked now: a process may have ended because its server had, before
    /// the watcher looked.
    #[must_use]
    pub fn ended_unplanned(&self) -> Option<Error> {
        self.clusters.values().find_map(Running::ended_unplanned)
    }

    /// Kills a region's server (`SIGKILL`), planned, and waits until nothing of it is left.
    ///
    /// # Errors
    /// `Stopped` if it had ended.
    pub async fn kill(&self, home: Home) -> Result<(), Error> {
        self.each(home, true, Cluster::kill).await
    }

    /// Stops every process of a region's server where it stands (`SIGSTOP`).
    ///
    /// # Errors
    /// `Stopped` if it has ended.
    pub async fn pause(&self, home: Home) -> Result<(), Error> {
        self.each(home, false, Cluster::pause).await
    }

    /// Lets them go on (`SIGCONT`).
    ///
    /// # Errors
    /// `Stopped` if it has ended.
    pub async fn wake(&self, home: Home) -> Result<(), Error> {
        self.each(home, false, Cluster::wake).await
    }

    async fn each(&self, home: Home, ends: bool, act: fn(&Cluster) -> Result<(), Error>) -> Result<(), Error> {
        let Some(Running { cluster, planned }) = self.clusters.get(&home).cloned() else { return Ok(()) };
        planned.fetch_or(ends, Ordering::SeqCst);
        aside(move || act(&cluster)).await
    }

    /// Asks all servers to stop, at once, and waits; kills what does not in time.
    pub async fn stop(self) {
        let stops = self.clusters.keys().map(|home| self.each(*home, true, Cluster::stop));
        for ended in join_all(stops).await {
            // It was killed then, and goes on from its log when it is needed again.
            if let Err(error) = ended {
                self.say.line(&format!("note: {error}"));
            }
        }
    }
}

//! Assembly of a plane. Building does no I/O and reports all that is missing at once.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::handle::{ORDERS_MAX, Ordered, PlaneHandle, PlaneStatus};
use super::leading::Leading;
use super::pacing::Automatic;
use crate::clock::Entropy;
use crate::error::Error;
use crate::ports::failpoints::{Failpoints, NoFailpoints};
use crate::ports::leader_election::LeaderElection;
use crate::ports::state_store::StateStore;
use crate::recovery::{RecoveryParts, check_bounds};
use crate::tasks::TaskGroup;

type Running = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// Something of the region that runs as long as its plane: a link, projections, an endpoint.
pub struct Worker {
    name: String,
    start: Box<dyn FnOnce(CancellationToken) -> Running + Send>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker; `start` is given the token that asks it to end.
    pub fn new<F, R>(name: impl Into<String>, start: F) -> Self
    where
        F: FnOnce(CancellationToken) -> R + Send + 'static,
        R: Future<Output = Result<(), Error>> + Send + 'static,
    {
        Self { name: name.into(), start: Box::new(move |stop| Box::pin(start(stop))) }
    }
}

/// The parts of a plane.
#[derive(Debug, Default)]
pub struct ControlPlaneBuilder {
    parts: Option<Arc<RecoveryParts>>,
    state: Option<Arc<dyn StateStore>>,
    election: Option<Arc<dyn LeaderElection>>,
    entropy: Option<Arc<dyn Entropy>>,
    failpoints: Option<Arc<dyn Failpoints>>,
}

macro_rules! part {
    ($(#[$doc:meta])* $name:ident: $type:ty) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: $type) -> Self {
            self.$name = Some($name);
            self
        }
    };
}

impl ControlPlaneBuilder {
    part!(
        /// The region's ports. Required.
        parts: Arc<RecoveryParts>
    );
    part!(
        /// The region's state store, which keeps the journal. Required.
        state: Arc<dyn StateStore>
    );
    part!(
        /// The election among the plane's replicas. Required.
        election: Arc<dyn LeaderElection>
    );
    part!(
        /// Randomness for run ids and nonces. Required.
        entropy: Arc<dyn Entropy>
    );
    part!(
        /// Places where a drill may hold or end the process; no-op by default.
        failpoints: Arc<dyn Failpoints>
    );

    fn missing(&self) -> Vec<String> {
        let parts = [
            ("parts", self.parts.is_none()),
            ("state", self.state.is_none()),
            ("election", self.election.is_none()),
            ("entropy", self.entropy.is_none()),
        ];
        let mut missing: Vec<_> =
            parts.into_iter().filter(|(_, missing)| *missing).map(|(name, _)| name.to_owned()).collect();
        if let Some(parts) = &self.parts {
            let watched = parts.peer_leases.peers();
            for peer in parts.peers.keys() {
                if !parts.links.contains_key(peer) {
                    missing.push(format!("a link from {peer} into {}", parts.region));
                }
                if !watched.contains(peer) {
                    missing.push(format!("a watch on the lease of {peer}"));
                }
            }
        }
        missing
    }

    /// Assembles the plane.
    ///
    /// # Errors
    /// `Invalid` naming every missing part, every peer that lacks a link or a watch on its lease, and a
    /// region with more logs than an entry of the journal can tell of.
    pub fn build(self) -> Result<(ControlPlane, PlaneHandle), Error> {
        let missing = self.missing();
        let bounds = self.parts.as_ref().and_then(|parts| check_bounds(&parts.treaty).err());
        let (Some(parts), Some(state), Some(election), Some(entropy), None, []) =
            (self.parts, self.state, self.election, self.entropy, &bounds, missing.as_slice())
        else {
            let faults = missing.into_iter().map(|missing| format!("missing: {missing}"));
            let faults: Vec<_> = faults.chain(bounds.map(|error| error.message().to_owned())).collect();
            return Err(Error::invalid("incomplete-plane", faults.join("; ")));
        };
        let (orders, queue) = mpsc::channel::<Ordered>(ORDERS_MAX);
        let (publish, status) = watch::channel(PlaneStatus::default());
        let leading = Leading {
            parts,
            state,
            election,
            drawn: entropy.draw(),
            entropy,
            failpoints: self.failpoints.unwrap_or_else(|| Arc::new(NoFailpoints)),
            queue,
            publish,
            automatic: Automatic::default(),
            driver: None,
        };
        Ok((ControlPlane { leading, workers: Vec::new() }, PlaneHandle { orders, status }))
    }
}

/// One region's control plane.
#[derive(Debug)]
pub struct ControlPlane {
    leading: Leading,
    workers: Vec<Worker>,
}

impl ControlPlane {
    /// Begins an assembly.
    #[must_use]
    pub fn builder() -> ControlPlaneBuilder {
        ControlPlaneBuilder::default()
    }

    /// Adds something that runs as long as the plane.
    #[must_use]
    pub fn with_worker(mut self, worker: Worker) -> Self {
        self.workers.push(worker);
        self
    }

    /// Runs until stopped, or until a worker fails; returns after the last child has ended.
    ///
    /// # Errors
    /// The first worker's error, with its name.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropped, the children are aborted; cancel the token instead.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        let mut group = TaskGroup::new(&stop);
        for worker in self.workers {
            let running = (worker.start)(group.stop_token());
            group.spawn(worker.name, running);
        }
        let leading = self.leading;
        let (watch, token) = (Arc::clone(&leading.parts.peer_leases), group.stop_token());
        group.spawn("peer watch", async move { watch.run(token).await });
        let reconciling = super::reconcile::run(Arc::clone(&leading.parts), group.stop_token());
        group.spawn("ownership", reconciling);
        let plane = leading.publish.subscribe();
        let refolding = super::refolding::run(Arc::clone(&leading.parts), plane, group.stop_token());
        group.spawn("late streams", refolding);
        let token = group.stop_token();
        group.spawn("leader", async move { leading.run(token).await });
        group.join().await
    }
}

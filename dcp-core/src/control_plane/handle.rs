//! How an operator or a service talks to a running plane.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::Error;
use crate::fence::Term;
use crate::ids::{RegionId, RunId, SliceRef};

/// Orders that may wait for the plane.
pub(super) const ORDERS_MAX: usize = 16;

/// What an operator may order. Each takes the place of runs that have failed and are still open;
/// only a blackout takes the place of one that is being driven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "plan", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Order {
    /// Take over from a region. Legal from every state. Once all is taken, the same order is answered
    /// the run that took it.
    Blackout {
        /// The region that is gone.
        lost: RegionId,
    },
    /// Bring a region back.
    Rejoin {
        /// The region that has returned.
        returned: RegionId,
    },
    /// Take one slice over from its living owner.
    Switchover {
        /// The slice.
        slice: SliceRef,
        /// Its present owner.
        from: RegionId,
    },
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunStatus {
    /// Being driven.
    Running,
    /// Every step is done.
    Done,
    /// A step failed, or the run cannot be driven; it stays open. The same order goes on with it, or,
    /// if a rule has refused it, begins anew. A restart by itself drives no failed run.
    Failed {
        /// The step and why.
        reason: String,
    },
    /// A rule has refused it, and what it had prepared is being undone, also after a restart.
    Cancelling {
        /// The step and the rule.
        reason: String,
    },
    /// What it had prepared is undone: nothing of what was ordered has happened.
    Cancelled {
        /// The step and the rule.
        reason: String,
    },
    /// Another run has taken its place.
    Superseded,
}

/// What a plane says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlaneStatus {
    /// The term under which it leads; none while it does not.
    pub term: Option<Term>,
    /// Why its last leadership failed; none while it leads. The region's data path goes on without.
    pub trouble: Option<String>,
    /// Runs of this process's life, by id.
    pub runs: BTreeMap<RunId, (Order, RunStatus)>,
}

pub(super) type Ordered = (Order, oneshot::Sender<Result<RunId, Error>>);

/// Orders plans and reads the status of one plane.
#[derive(Debug, Clone)]
pub struct PlaneHandle {
    pub(super) orders: mpsc::Sender<Ordered>,
    pub(super) status: watch::Receiver<PlaneStatus>,
}

impl PlaneHandle {
    /// Orders a plan; answers its run once that is durable in the journal.
    ///
    /// An order equal to a run that is open goes on with that run, unless it was refused or is undone.
    ///
    /// # Errors
    /// `Refused` if another run is being driven; `Retry` while the plane does not lead;
    /// `Stopped` after the plane's end.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call may still open the run.
    pub async fn order(&self, order: Order) -> Result<RunId, Error> {
        let gone = || Error::stopped("plane-ended", "the control plane is not running");
        let (answer, answered) = oneshot::channel();
        self.orders.send((order, answer)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// The status, and its changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<PlaneStatus> {
        self.status.clone()
    }
}

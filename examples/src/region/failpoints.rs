//! Failpoints that a drill arms from outside: hold one append, or end the process after a step.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use dcp_core::Error;
use dcp_core::ports::Failpoints;
use dcp_core::ports::failpoints::points;
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// A boundary of a step at which the process kills itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct CrashAfter {
    /// The step.
    pub step: String,
    /// The failpoint.
    pub point: &'static str,
}

impl FromStr for CrashAfter {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (step, boundary) = text.split_once(':').unwrap_or((text, "outcome"));
        let point = match boundary {
            "intent" => points::STEP_INTENT,
            "acted" => points::STEP_ACTED,
            "outcome" => points::STEP_OUTCOME,
            other => return Err(format!("{other:?}: expected intent, acted or outcome")),
        };
        if step.is_empty() {
            return Err("expected STEP, STEP:intent, STEP:acted or STEP:outcome".to_owned());
        }
        Ok(Self { step: step.to_owned(), point })
    }
}

impl fmt::Display for CrashAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.step, self.point.trim_start_matches("step."))
    }
}

/// What to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Arming {
    /// The failpoint.
    pub point: String,
    /// Only what passes it with one of these details.
    pub details: BTreeSet<String>,
}

/// What the drill sees of the failpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Held {
    /// Where something is held now: the detail, by failpoint.
    pub at: BTreeMap<String, String>,
}

/// Holds what passes an armed point, once, until released.
#[derive(Debug)]
pub struct HeldFailpoints {
    crash_after: Option<CrashAfter>,
    armed: Mutex<BTreeMap<String, BTreeSet<String>>>,
    held: watch::Sender<Held>,
}

impl HeldFailpoints {
    /// Nothing armed; ends the process at the boundary, if one is given.
    #[must_use]
    pub fn new(crash_after: Option<CrashAfter>) -> Self {
        Self { crash_after, armed: Mutex::default(), held: watch::channel(Held::default()).0 }
    }

    fn armed(&self) -> MutexGuard<'_, BTreeMap<String, BTreeSet<String>>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next that passes the point with one of the details is held, and with it whatever passes
    /// there with the same detail until the release: a request that is sent again is held again.
    pub fn arm(&self, arming: Arming) {
        self.armed().insert(arming.point, arming.details);
    }

    fn takes(&self, point: &str, detail: &str) -> bool {
        if self.held.borrow().at.get(point).is_some_and(|held| held == detail) {
            return true;
        }
        let mut armed = self.armed();
        let wanted = armed.get(point).is_some_and(|details| details.contains(detail));
        if wanted {
            armed.remove(point);
        }
        wanted
    }

    /// What is held now.
    #[must_use]
    pub fn held(&self) -> Held {
        self.held.borrow().clone()
    }

    /// Lets go of what is held, and disarms.
    pub fn release(&self) {
        self.armed().clear();
        self.held.send_modify(|held| held.at.clear());
    }

    // An end as sudden as a power cut of this process alone: nothing is flushed, nothing is told.
    fn end_here(&self) -> Result<(), Error> {
        kill_process(getpid(), Signal::KILL).map_err(|cause| Error::stopped("no-signal", cause.to_string()))
    }
}

#[async_trait]
impl Failpoints for HeldFailpoints {
    async fn pass(&self, point: &'static str, detail: &str) {
        if self.crash_after.as_ref().is_some_and(|crash| crash.point == point && crash.step == detail) {
            match self.end_here() {
                // The signal is on its way: nothing may happen in between.
                Ok(()) => std::future::pending::<()>().await,
                Err(error) => tracing::error!(%error, "the process could not end itself"),
            }
        }
        if !self.takes(point, detail) {
            return;
        }
        tracing::warn!(point, detail, "held by the drill");
        self.held.send_modify(|held| {
            held.at.insert(point.to_owned(), detail.to_owned());
        });
        let mut held = self.held.subscribe();
        // The sender is ours: it cannot be gone.
        let _ = held.wait_for(|held| !held.at.contains_key(point)).await;
    }
}

//! Failpoints of the simulated world: hold an append, or end the process at a step's boundary.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use dcp_core::ports::Failpoints;

use super::process::Board;

/// Where a process ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct CrashAt {
    /// The step.
    pub step: String,
    /// One of [`points`](dcp_core::ports::failpoints::points).
    pub point: &'static str,
    /// How often the place is passed before; the first time is 0.
    pub after: u32,
}

/// What is armed in one region, over all lives of its process.
#[derive(Debug)]
pub(super) struct Trap {
    state: Mutex<Armed>,
    held: Board<Option<String>>,
    crashed: Board<u32>,
}

#[derive(Debug, Default)]
struct Armed {
    hold: Option<(&'static str, BTreeSet<String>)>,
    crash: Option<CrashAt>,
}

impl Trap {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), held: Board::new(None), crashed: Board::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, Armed> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds the next that passes the point with one of these details.
    pub(super) fn hold(&self, point: &'static str, details: BTreeSet<String>) {
        self.state().hold = Some((point, details));
    }

    /// Lets go of what is held, and disarms the hold.
    pub(super) fn release(&self) {
        self.state().hold = None;
        self.held.change(|held| *held = None);
    }

    /// The process ends at this place.
    pub(super) fn crash_at(&self, crash: CrashAt) {
        self.state().crash = Some(crash);
    }

    /// What is held.
    pub(super) fn held(&self) -> Option<String> {
        self.held.get()
    }

    /// How often the process ended here.
    pub(super) fn crashed(&self) -> u32 {
        self.crashed.get()
    }

    fn crashes_here(&self, point: &str, detail: &str) -> bool {
        let mut state = self.state();
        let Some(crash) = state.crash.as_mut().filter(|crash| crash.point == point && crash.step == detail) else {
            return false;
        };
        if crash.after > 0 {
            crash.after -= 1;
            return false;
        }
        state.crash = None;
        true
    }

    fn holds_here(&self, point: &str, detail: &str) -> bool {
        let mut state = self.state();
        let wanted = state.hold.as_ref().is_some_and(|(at, details)| *at == point && details.contains(detail));
        if wanted {
            state.hold = None;
        }
        wanted
    }
}

/// The failpoints of one life of a process.
pub(super) struct Trapped {
    pub(super) trap: Arc<Trap>,
    /// Ends the process.
    pub(super) kill: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Trapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trapped").field("trap", &self.trap).finish_non_exhaustive()
    }
}

#[async_trait]
impl Failpoints for Trapped {
    async fn pass(&self, point: &'static str, detail: &str) {
        if self.trap.crashes_here(point, detail) {
            (self.kill)();
            self.trap.crashed.change(|times| *times += 1);
            std::future::pending::<()>().await;
        }
        if self.trap.holds_here(point, detail) {
            self.trap.held.change(|held| *held = Some(detail.to_owned()));
            self.trap.held.until(Option::is_none).await;
        }
    }
}

//! A process of the simulated world: its tasks, and whether they run.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinSet;

/// Whether a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Running,
    Paused,
    Dead,
}

/// One life of a process. Every port call of the process passes [`Process::awake`] on its way out
/// and on its way back: between two calls no time passes, so that a process that is held there is
/// one that was stopped by a signal.
#[derive(Debug)]
pub(super) struct Process {
    mode: watch::Sender<Mode>,
    tasks: Mutex<JoinSet<()>>,
}

impl Process {
    pub(super) fn start() -> Arc<Self> {
        Arc::new(Self { mode: watch::Sender::new(Mode::Running), tasks: Mutex::default() })
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns once the process runs; never, if it is dead.
    pub(super) async fn awake(&self) {
        if *self.mode.borrow() == Mode::Running {
            return;
        }
        let mut mode = self.mode.subscribe();
        // The sender is ours: it cannot be gone.
        let _ = mode.wait_for(|mode| *mode == Mode::Running).await;
    }

    /// Runs something as a task of the process; it ends with the process.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if self.is_dead() {
            return;
        }
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    pub(super) fn pause(&self) {
        self.change(Mode::Paused);
    }

    pub(super) fn resume(&self) {
        self.change(Mode::Running);
    }

    /// Ends it: nothing of it runs any more, and nothing that waits in it is ever answered.
    pub(super) fn kill(&self) {
        self.mode.send_replace(Mode::Dead);
        self.tasks().abort_all();
    }

    pub(super) fn is_dead(&self) -> bool {
        *self.mode.borrow() == Mode::Dead
    }

    // Death is final.
    fn change(&self, to: Mode) {
        self.mode.send_if_modified(|mode| {
            let alive = *mode != Mode::Dead;
            if alive {
                *mode = to;
            }
            alive
        });
    }
}

//! A process of the simulated world: its tasks, and whether they run.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::JoinSet;

/// A value that many wait for, woken in the order in which they came: a `watch` wakes them in an
/// order that no seed decides.
#[derive(Debug)]
pub(super) struct Board<T> {
    value: Mutex<T>,
    changed: Notify,
}

impl<T: Clone> Board<T> {
    pub(super) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self) -> T {
        self.lock().clone()
    }

    /// Looks at the value without a copy of it.
    pub(super) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock())
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.lock());
        self.changed.notify_waiters();
    }

    /// Returns once the value is as wanted.
    pub(super) async fn until(&self, wanted: impl Fn(&T) -> bool + Send) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if wanted(&self.lock()) {
                return;
            }
            changed.await;
        }
    }
}

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
    mode: Board<Mode>,
    tasks: Mutex<JoinSet<()>>,
}

impl Process {
    pub(super) fn start() -> Arc<Self> {
        Arc::new(Self { mode: Board::new(Mode::Running), tasks: Mutex::default() })
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns once the process runs; never, if it is dead.
    pub(super) async fn awake(&self) {
        self.mode.until(|mode| *mode == Mode::Running).await;
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
        self.change(Mode::Dead);
        self.tasks().abort_all();
    }

    pub(super) fn is_dead(&self) -> bool {
        self.mode.get() == Mode::Dead
    }

    // Death is final.
    fn change(&self, to: Mode) {
        self.mode.change(|mode| {
            if *mode != Mode::Dead {
                *mode = to;
            }
        });
    }
}

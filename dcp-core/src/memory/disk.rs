//! A pretended disk: one write at a time is staged, synced and answered; a crash loses the staged.

mod hold;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use hold::Pulse;
pub use hold::SyncHold;

use crate::error::{Error, Failure};

/// What is kept on the disk, and how a write changes it.
pub(super) trait Image: fmt::Debug + Clone + Send + 'static {
    /// A write that was decided and not yet synced.
    type Change: fmt::Debug + Send + 'static;

    /// Makes a write durable.
    fn apply(&mut self, change: Self::Change);
}

/// What a decision gives: the write, if there is anything to write, and the answer.
pub(super) type Decided<I, A> = Result<(Option<<I as Image>::Change>, A), Error>;

/// The time from one opening to the next crash. Sessions end with theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life(u64);

#[derive(Debug)]
struct State<I: Image> {
    durable: I,
    staged: Option<I::Change>,
    life: Life,
    open: bool,
    // Whoever holds it writes; replaced at a crash, so that a call that the crash cut off and that
    // nobody polls any more does not keep later ones waiting.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl<I: Image> State<I> {
    fn check(&self, life: Option<Life>) -> Result<(), Error> {
        if !self.open {
            return Err(Error::stopped("store-closed", "the store has crashed and was not opened again"));
        }
        if life.is_some_and(|life| life != self.life) {
            return Err(Error::stopped("session-ended", "the store has crashed since; open another session"));
        }
        Ok(())
    }

    fn settle(&mut self) {
        if let Some(change) = self.staged.take() {
            self.durable.apply(change);
        }
    }
}

/// The disk.
#[derive(Debug)]
pub(super) struct Disk<I: Image> {
    state: Mutex<State<I>>,
    pulse: Arc<watch::Sender<Pulse>>,
}

impl<I: Image> Disk<I> {
    pub(super) fn new(image: I) -> Self {
        let state = State { durable: image, staged: None, life: Life(0), open: true, turn: Arc::default() };
        Self { state: Mutex::new(state), pulse: Arc::new(watch::Sender::new(Pulse::default())) }
    }

    // A decision that panics has changed nothing yet.
    fn lock(&self) -> MutexGuard<'_, State<I>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current life.
    pub(super) fn life(&self) -> Result<Life, Error> {
        let state = self.lock();
        state.check(None)?;
        Ok(state.life)
    }

    /// Reads what is durable, if the store is open and, for a session, still in its life.
    pub(super) fn read<T>(&self, life: Option<Life>, read: impl FnOnce(&I) -> T) -> Result<T, Error> {
        let state = self.lock();
        state.check(life)?;
        Ok(read(&state.durable))
    }

    /// Waits until `ready` finds something in what is durable.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(super) async fn wait_for<T>(&self, life: Life, ready: impl Fn(&I) -> Option<T>) -> Result<T, Error> {
        // Subscribed before the look, so that no change falls between the two.
        let mut changes = self.pulse.subscribe();
        loop {
            if let Some(found) = self.read(Some(life), &ready)? {
                return Ok(found);
            }
            changes.changed().await.map_err(|_| Error::stopped("store-gone", "the store was dropped"))?;
        }
    }

    /// Decides on what is durable, stages the write, syncs it, and then answers.
    ///
    /// A call that is dropped in between leaves its write behind: the next call's sync makes it
    /// durable, a crash loses it. So a dropped call is in doubt, as on a real disk.
    pub(super) async fn commit<A>(
        &self,
        life: Option<Life>,
        decide: impl FnOnce(&I) -> Decided<I, A> + Send,
    ) -> Result<A, Failure> {
        let turn = Arc::clone(&self.lock().turn);
        let _turn = turn.lock().await;
        let life = self.current(life, &turn).map_err(Failure::NotApplied)?;
        let left_behind = self.lock().staged.is_some();
        if left_behind {
            self.sync(life).await.map_err(Failure::NotApplied)?;
        }
        let answer = {
            let mut state = self.lock();
            state.check(Some(life)).map_err(Failure::NotApplied)?;
            let (change, answer) = decide(&state.durable).map_err(Failure::NotApplied)?;
            let Some(change) = change else { return Ok(answer) };
            state.staged = Some(change);
            answer
        };
        match self.sync(life).await {
            Ok(()) => Ok(answer),
            Err(error) => Err(Failure::in_doubt("crashed-before-sync", error.message())),
        }
    }

    // Whoever waited for a turn of an earlier life must not write in this one.
    fn current(&self, life: Option<Life>, turn: &Arc<tokio::sync::Mutex<()>>) -> Result<Life, Error> {
        let state = self.lock();
        state.check(life)?;
        if !Arc::ptr_eq(&state.turn, turn) {
            return Err(Error::stopped("store-crashed", "the store crashed before the write began"));
        }
        Ok(state.life)
    }

    async fn sync(&self, life: Life) -> Result<(), Error> {
        let mut released = self.pulse.subscribe();
        self.pulse.send_modify(|pulse| pulse.waiting = true);
        // A write is never synced in the moment in which it is staged: others get to act between.
        tokio::task::yield_now().await;
        let waited = released.wait_for(|pulse| pulse.holds == 0 || pulse.life != life.0).await.map(drop);
        waited.map_err(|_| Error::stopped("store-gone", "the store was dropped"))?;
        {
            let mut state = self.lock();
            state.check(Some(life))?;
            state.settle();
        }
        self.pulse.send_modify(Pulse::settled);
        Ok(())
    }

    /// Loses what was not synced and ends all sessions; closed until [`Disk::reopen`].
    pub(super) fn crash(&self) {
        let life = {
            let mut state = self.lock();
            state.staged = None;
            state.open = false;
            state.life = Life(state.life.0 + 1);
            state.turn = Arc::default();
            state.life
        };
        self.pulse.send_modify(|pulse| pulse.crashed(life.0));
    }

    /// Opens on what was durable.
    pub(super) fn reopen(&self) {
        self.lock().open = true;
    }

    /// Keeps writes from being synced until the hold is dropped.
    pub(super) fn hold_sync(&self) -> SyncHold {
        SyncHold::on(Arc::clone(&self.pulse))
    }

    /// A copy of what is durable.
    pub(super) fn backup(&self) -> I {
        self.lock().durable.clone()
    }

    /// Crashes and replaces what was durable; closed until [`Disk::reopen`].
    pub(super) fn restore(&self, image: I) {
        self.crash();
        self.lock().durable = image;
    }
}

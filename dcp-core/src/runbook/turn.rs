//! One drive of a run at a time, and how an ending call stops it and waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::ids::RunId;

/// The turns of a driver's runs.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<BTreeMap<RunId, Arc<Turn>>>);

#[derive(Debug, Default)]
struct Turn {
    held: Arc<tokio::sync::Mutex<()>>,
    stop: Mutex<CancellationToken>,
}

impl Turn {
    fn token(&self) -> CancellationToken {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

// From when a run is told to stop until the call that ends it returns or is dropped: drives that
// begin meanwhile stop at once.
#[derive(Debug)]
struct Ending(Arc<Turn>);

impl Drop for Ending {
    fn drop(&mut self) {
        *self.0.stop.lock().unwrap_or_else(PoisonError::into_inner) = CancellationToken::new();
    }
}

/// The right to drive a run, until dropped.
#[derive(Debug)]
pub(crate) struct Held {
    _ending: Option<Ending>,
    _turn: tokio::sync::OwnedMutexGuard<()>,
    stop: CancellationToken,
    caller: CancellationToken,
}

impl Held {
    /// Whether the drive should stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled() || self.caller.is_cancelled()
    }

    /// Returns once the drive should stop.
    pub(crate) async fn stopped(&self) {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = self.caller.cancelled() => {}
        }
    }
}

impl Turns {
    fn of(&self, run: &RunId) -> Arc<Turn> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Kept to the runs that somebody drives or waits for.
        turns.retain(|id, turn| id == run || Arc::strong_count(turn) > 1 || turn.held.try_lock().is_err());
        Arc::clone(turns.entry(run.clone()).or_default())
    }

    /// Takes the turn to drive.
    pub(crate) fn drive(&self, run: &RunId, caller: &CancellationToken) -> Result<Held, Error> {
        let turn = self.of(run);
        let stop = turn.token();
        let held = Arc::clone(&turn.held)
            .try_lock_owned()
            .map_err(|_| Error::refused("already-driven", format!("run {run}: is being driven; wait for its end")))?;
        Ok(Held { _ending: None, _turn: held, stop, caller: caller.clone() })
    }

    /// Stops the drive that is under way, waits for it, and takes the turn to end the run.
    pub(crate) async fn end(&self, run: &RunId, caller: &CancellationToken) -> Held {
        let turn = self.of(run);
        turn.token().cancel();
        let ending = Ending(Arc::clone(&turn));
        let held = Arc::clone(&turn.held).lock_owned().await;
        Held { _ending: Some(ending), _turn: held, stop: CancellationToken::new(), caller: caller.clone() }
    }
}

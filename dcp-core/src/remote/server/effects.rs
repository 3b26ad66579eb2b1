//! Effects run to their end, whoever still waits for the answer.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use crate::error::Failure;

/// Most effects that run at one time; further ones wait, unsent, with their connection.
const RUNNING_MAX: usize = 256;

/// The effects in flight.
///
/// A connection that ends drops its request's future. An effect must not end with it: its permit
/// would be left without an outcome and block the next seal. So effects are tasks of the server, not
/// of a connection. A `TaskGroup` would keep the result of every effect until it is joined; this set
/// is emptied as it is filled.
#[derive(Debug, Clone)]
pub(super) struct Effects {
    tasks: Arc<Mutex<JoinSet<()>>>,
    places: Arc<Semaphore>,
}

impl Effects {
    pub(super) fn new() -> Self {
        Self { tasks: Arc::default(), places: Arc::new(Semaphore::new(RUNNING_MAX)) }
    }

    /// Runs an effect and answers its outcome. Dropped before the effect was started, it is not
    /// started; dropped later, it goes on.
    pub(super) async fn run<A: Send + 'static>(
        &self,
        effect: impl Future<Output = Result<A, Failure>> + Send + 'static,
    ) -> Result<A, Failure> {
        let lost = || Failure::in_doubt("effect-lost", "the server dropped the effect before it had ended");
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| lost())?;
        let (outcome, answer) = oneshot::channel();
        {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            reap(&mut tasks);
            tasks.spawn(async move {
                let _place = place;
                // The caller may have gone away; then nobody needs the outcome.
                let _ = outcome.send(effect.await);
            });
        }
        answer.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Hands over the effects that are still running, once no connection can start another.
    pub(super) fn take(&self) -> JoinSet<()> {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        reap(&mut tasks);
        tasks
    }
}

fn reap(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.try_join_next() {
        note(ended);
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(cause) = ended {
        tracing::error!(%cause, "an effect ended without an outcome");
    }
}

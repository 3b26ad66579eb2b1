//! Structured concurrency: nothing outlives its group.

use std::future::Future;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// Owns child tasks: the first failure stops all, and [`TaskGroup::join`] returns after the last.
#[derive(Debug)]
pub struct TaskGroup {
    children: JoinSet<(String, Result<(), Error>)>,
    stop: CancellationToken,
}

impl TaskGroup {
    /// A group that stops when `parent` is cancelled.
    #[must_use]
    pub fn new(parent: &CancellationToken) -> Self {
        Self { children: JoinSet::new(), stop: parent.child_token() }
    }

    /// Cancelled when the group stops; hand it to the children.
    #[must_use]
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a child. It should end soon after the stop token is cancelled.
    ///
    /// Needs a tokio runtime.
    pub fn spawn<F>(&mut self, name: impl Into<String>, child: F)
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let name = name.into();
        self.children.spawn(async move { (name, child.await) });
    }

    /// Waits for every child. The first failure, or a panic, stops the others, which are still
    /// waited for.
    ///
    /// # Errors
    /// The first child's error, with the child's name; a panic is `Stopped`.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropped, the children are aborted.
    pub async fn join(mut self) -> Result<(), Error> {
        let mut first = Ok(());
        while let Some(ended) = self.children.join_next().await {
            let result = match ended {
                Ok((name, result)) => result.map_err(|error| error.at(name)),
                Err(cause) => Err(Error::stopped("task-ended", cause.to_string())),
            };
            if result.is_err() {
                self.stop.cancel();
                if first.is_ok() {
                    first = result;
                }
            }
        }
        first
    }

    /// Stops the children and waits for them.
    ///
    /// # Errors
    /// As [`TaskGroup::join`].
    pub async fn stop(self) -> Result<(), Error> {
        self.stop.cancel();
        self.join().await
    }
}

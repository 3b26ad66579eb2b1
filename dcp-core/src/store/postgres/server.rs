//! Connections and transactions with a deadline.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::fault;
use super::statements::Statements;
use crate::error::{Error, Failure};

/// A parameter of a statement.
pub(super) type Value<'a> = &'a (dyn ToSql + Sync);

/// A pool with the statements of one schema.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) pool: Pool,
    pub(super) statements: Statements,
    pub(super) deadline: Duration,
}

/// One connection, for one transaction or read. Unless it is [given back](Session::give_back) it is
/// closed, so that the server ends whatever it had begun.
#[derive(Debug)]
pub(super) struct Session {
    connection: Option<Object>,
    committing: AtomicBool,
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Object::take(connection));
        }
    }
}

impl Server {
    /// Runs reads on one connection within the deadline.
    pub(super) async fn read<T>(&self, work: impl AsyncFnOnce(&Session) -> Result<T, Error>) -> Result<T, Error> {
        let session = self.session().await?;
        let done = within(self.deadline, work(&session)).await.unwrap_or_else(|| Err(late(self.deadline)))?;
        session.give_back();
        Ok(done)
    }

    /// Runs one transaction within the deadline. `work` begins it, and ends it by
    /// [`Session::commit_with`] or not at all.
    pub(super) async fn write<T>(&self, work: impl AsyncFnOnce(&Session) -> Result<T, Failure>) -> Result<T, Failure> {
        let session = self.session().await.map_err(Failure::NotApplied)?;
        let done = match within(self.deadline, work(&session)).await {
            Some(Ok(done)) => done,
            Some(Err(failure)) => {
                session.roll_back(self.deadline).await;
                return Err(failure);
            }
            None if session.committing.load(Ordering::SeqCst) => {
                let message = format!("no answer to the commit within {:?}; send it again", self.deadline);
                return Err(Failure::in_doubt("commit-unanswered", message));
            }
            // The commit was never sent, and cannot be any more: the connection is closed.
            None => return Err(Failure::NotApplied(late(self.deadline))),
        };
        session.give_back();
        Ok(done)
    }

    async fn session(&self) -> Result<Session, Error> {
        let connection = within(self.deadline, self.pool.get()).await.ok_or_else(|| late(self.deadline))?;
        let connection = connection.map_err(|cause| fault::of_pool(&cause))?;
        Ok(Session { connection: Some(connection), committing: AtomicBool::new(false) })
    }
}

async fn within<T>(deadline: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(deadline, work).await.ok()
}

fn late(deadline: Duration) -> Error {
    Error::retry("no-answer", format!("the server did not answer within {deadline:?}"))
}

impl Session {
    fn give_back(mut self) {
        drop(self.connection.take());
    }

    // A refusal costs no connection; one that does not answer is closed.
    async fn roll_back(self, deadline: Duration) {
        let open = !self.committing.load(Ordering::SeqCst);
        if open && matches!(within(deadline, self.plain("ROLLBACK")).await, Some(Ok(()))) {
            self.give_back();
        }
    }

    fn connection(&self) -> Result<&Object, Error> {
        self.connection.as_ref().ok_or_else(|| Error::stopped("connection-closed", "the connection was given back"))
    }

    pub(super) async fn prepared(&self, text: &str) -> Result<Statement, Error> {
        self.connection()?.prepare_cached(text).await.map_err(|cause| fault::error(&cause))
    }

    pub(super) async fn rows(&self, statement: &Statement, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        self.connection()?.query(statement, values).await.map_err(|cause| fault::error(&cause))
    }

    pub(super) async fn run(&self, statement: &Statement, values: &[Value<'_>]) -> Result<u64, Error> {
        self.connection()?.execute(statement, values).await.map_err(|cause| fault::error(&cause))
    }

    /// Prepares and asks.
    pub(super) async fn ask(&self, text: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        let statement = self.prepared(text).await?;
        self.rows(&statement, values).await
    }

    /// Begins a transaction that sees, in each statement, what was committed before it.
    pub(super) async fn begin(&self) -> Result<(), Error> {
        self.plain("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE").await
    }

    pub(super) async fn plain(&self, text: &str) -> Result<(), Error> {
        self.connection()?.batch_execute(text).await.map_err(|cause| fault::error(&cause))
    }

    /// Sends the last statements and, in the same breath, the commit: if one of them fails, the
    /// server turns the commit into a rollback, so that its failure is certain.
    pub(super) async fn commit_with(&self, last: impl Future<Output = Result<(), Error>>) -> Result<(), Failure> {
        let connection = self.connection().map_err(Failure::NotApplied)?;
        self.committing.store(true, Ordering::SeqCst);
        let (done, committed) = tokio::join!(biased; last, connection.batch_execute("COMMIT"));
        match (done, committed) {
            (Ok(()), Ok(())) => Ok(()),
            (Err(error), Ok(())) => Err(Failure::NotApplied(error)),
            (_, Err(cause)) => Err(fault::of_commit(&cause)),
        }
    }
}

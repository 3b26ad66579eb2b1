//! Connections and transactions with a deadline.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio::sync::Semaphore;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::backends::Backends;
use super::blocker::{self, Blocker};
use super::demands::{self, Connection, Demands};
use super::fault;
use super::settings::PostgresEventSettings;
use super::statements::Statements;
use crate::error::{Error, Failure};

/// A parameter of a statement.
pub(super) type Value<'a> = &'a (dyn ToSql + Sync);

/// A pool with the statements of one schema.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) pool: Pool,
    pub(super) statements: Statements,
    deadline: Duration,
    patience: Duration,
    demands: Demands,
    backends: Backends,
    // One connection fewer than there are: writers that are held up leave one to reads, and to finding
    // out who holds them up.
    transactions: Semaphore,
}

/// One connection, for one transaction or read. Unless it is [given back](Session::give_back) it is
/// closed, so that the server ends whatever it had begun.
#[derive(Debug)]
pub(super) struct Session {
    connection: Option<Object>,
    /// The process of the server that serves it.
    backend: i32,
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
    pub(super) fn new(pool: Pool, settings: &PostgresEventSettings) -> Self {
        let transactions = Semaphore::new(pool.status().max_size.saturating_sub(1).max(1));
        Self {
            pool,
            statements: Statements::in_schema(&settings.schema),
            deadline: settings.deadline,
            patience: settings.patience.min(settings.deadline / 4),
            demands: Demands::of(settings),
            backends: Backends::default(),
            transactions,
        }
    }

    /// Runs reads on one connection within the deadline.
    pub(super) async fn read<T>(&self, work: impl AsyncFnOnce(&Session) -> Result<T, Error>) -> Result<T, Error> {
        let session = within(self.deadline, self.session()).await.ok_or_else(|| late(self.deadline))??;
        let done = within(self.deadline, work(&session)).await.unwrap_or_else(|| Err(self.silent()))?;
        session.give_back();
        Ok(done)
    }

    /// Runs one transaction within the deadline. `work` begins it, and ends it by
    /// [`Session::commit_with`], by [`Session::whole`] or not at all.
    pub(super) async fn write<T>(&self, work: impl AsyncFnOnce(&Session) -> Result<T, Failure>) -> Result<T, Failure> {
        let begun = async {
            let place =
                self.transactions.acquire().await.map_err(|cause| Error::stopped("closed", cause.to_string()))?;
            Ok::<_, Error>((place, self.session().await?))
        };
        let begun = within(self.deadline, begun).await.unwrap_or_else(|| Err(late(self.deadline)));
        let (_place, session) = begun.map_err(Failure::NotApplied)?;
        let holder = Mutex::new(None);
        let done = tokio::select! {
            biased;
            done = within(self.deadline, work(&session)) => done,
            never = self.watch(session.backend, &holder) => match never {},
        };
        let holder = holder.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let done = match done {
            Some(Ok(done)) => done,
            Some(Err(failure)) => {
                session.roll_back(self.deadline).await;
                return Err(held_up(failure, holder));
            }
            None if session.committing.load(Ordering::SeqCst) => {
                self.forget_idle();
                let message = format!("no answer to the commit within {:?}; send it again", self.deadline);
                return Err(Failure::in_doubt("commit-unanswered", message));
            }
            // The commit was never sent, and cannot be any more: the connection is closed.
            None if holder.is_some() => return Err(held_up(Failure::NotApplied(late(self.deadline)), holder)),
            None => return Err(Failure::NotApplied(self.silent())),
        };
        session.give_back();
        Ok(done)
    }

    fn silent(&self) -> Error {
        self.forget_idle();
        late(self.deadline)
    }

    // Whatever made one connection fall silent has mostly done the same to those that are idle, and each of them
    // would cost its next user a deadline.
    fn forget_idle(&self) {
        let forgotten = self.pool.retain(|_, _| false).removed.len();
        tracing::debug!(forgotten, "a connection fell silent; idle ones are not trusted any more");
    }

    // A connection that is used for the first time is asked who serves it and what it has.
    async fn session(&self) -> Result<Session, Error> {
        let connection = self.pool.get().await.map_err(|cause| fault::of_pool(&cause))?;
        let mut session = Session { connection: Some(connection), backend: 0, committing: AtomicBool::new(false) };
        let known = self.backends.get(&session.connection()?.statement_cache);
        session.backend = match known {
            Some(pid) => pid,
            None => self.admit(&session).await?,
        };
        Ok(session)
    }

    async fn admit(&self, session: &Session) -> Result<i32, Error> {
        let rows = session.ask(demands::QUERY, &[]).await?;
        let connection = Connection::read(rows.first().ok_or_else(|| fault::damaged("no answer"))?)?;
        self.demands.judge(&connection)?;
        self.backends.note(&session.connection()?.statement_cache, connection.pid);
        Ok(connection.pid)
    }

    // Looks again and again for a session that this one waits for.
    async fn watch(&self, backend: i32, holder: &Mutex<Option<Blocker>>) -> Infallible {
        loop {
            let _patience = within(self.patience, std::future::pending::<()>()).await;
            // Boxed: nearly no transaction gets here, and all carry this future.
            let looked = Box::pin(self.read(async |session| session.ask(blocker::QUERY, &[&backend]).await)).await;
            let found = match looked {
                Ok(rows) => rows.first().map(Blocker::read),
                Err(error) => {
                    tracing::debug!(%error, "could not look for the holder of a lock");
                    continue;
                }
            };
            let mut holder = holder.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(found) = found.as_ref().filter(|found| holder.as_ref().is_none_or(|held| held.pid != found.pid))
            {
                found.report(&self.statements.schema);
            }
            *holder = found;
        }
    }
}

// Whoever did not get a lock is told who has it.
fn held_up(failure: Failure, holder: Option<Blocker>) -> Failure {
    match (failure, holder) {
        (Failure::NotApplied(error), Some(holder)) if ["lock-held", "no-answer"].contains(&error.code()) => {
            let message = format!("a lock that this write needs is held by {holder}. {}", error.message());
            Failure::NotApplied(Error::retry("lock-held", message))
        }
        (failure, _) => failure,
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

    /// Begins a transaction that sees, in each statement, what was committed before it. Whether it may
    /// write is left to the server: asking for it would write where the settings forbid it.
    pub(super) async fn begin(&self) -> Result<(), Error> {
        self.plain("BEGIN ISOLATION LEVEL READ COMMITTED").await
    }

    pub(super) async fn plain(&self, text: &str) -> Result<(), Error> {
        self.connection()?.batch_execute(text).await.map_err(|cause| fault::error(&cause))
    }

    /// Runs a statement that is a transaction by itself.
    pub(super) async fn whole(&self, statement: &Statement, values: &[Value<'_>]) -> Result<u64, Failure> {
        let connection = self.connection().map_err(Failure::NotApplied)?;
        self.committing.store(true, Ordering::SeqCst);
        let done = connection.execute(statement, values).await;
        self.committing.store(false, Ordering::SeqCst);
        done.map_err(|cause| fault::of_commit(&cause))
    }

    /// Sends the last statement and, in the same breath, the commit: if the statement fails at the server,
    /// that turns the commit into a rollback. One that fails before it is sent leaves nothing of itself for
    /// the commit to keep; what was written before it must not need it. Either way its failure is certain.
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

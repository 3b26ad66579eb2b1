//! An event store in a Postgres database.
//!
//! Records, fences, sessions, versions and cursors lie in one schema and change in one transaction. A
//! write holds the rows of its partition's logs from before it looks until after its commit:
//!
//! - the **order** of a log's ranks is the order of its commits. A reader asks by rank and needs no
//!   snapshot arithmetic: a rank is never visible before the ranks below it;
//! - the **fence** and the **session** are compared under the same lock that a seal takes, so that a
//!   seal waits for what is under way and nothing below it lands afterwards;
//! - batches that wait at one log go **together** in one transaction, and behind a tail that the store
//!   still knows it is one statement: it compares the log's row, moves it and writes the records, or
//!   writes nothing if the row has changed, and then the log is locked and read.
//!
//! No other session's transaction holds a reader back. A session that holds a log's row holds its
//! writers back: they give up in time, and their error and the event
//! [`LOCK_HELD`](crate::telemetry::LOCK_HELD) name it. The server's clock decides nothing.
//!
//! # Limits
//!
//! - One partition's writes are one after the other; throughput comes from partitions and from batches
//!   that go together.
//! - What was answered survives the death of the server's processes. Whether it survives a loss of
//!   power is a matter of the server's `fsync` and its disk.
//! - A dump that is restored into another cluster is refused. A server that went back under an open store, such as to
//!   a standby that lacks the last commits, is refused by whoever read or wrote what is missing; a physical
//!   backup that is restored while nobody has the store open is noticed by the witness, not here.

mod backends;
mod blocker;
mod columns;
mod demands;
mod fault;
mod group;
mod log_writer;
mod news;
mod opening;
mod pool;
mod reader;
mod rows;
mod same_store;
mod schema;
mod server;
mod settings;
mod source;
mod statements;
mod tail;
#[cfg(feature = "tls")]
mod tls;
mod writer;

pub use deadpool_postgres;
pub use settings::PostgresEventSettings;
pub use tokio_postgres;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use deadpool_postgres::Pool;
use uuid::Uuid;

use crate::clock::Entropy;
use crate::error::{Error, Failure};
use crate::log::LogId;
use crate::ownership::WriteGrant;
use crate::ports::event_store::{EventStore, EventWriter, WriterRole};
use crate::position::{Cut, LogIncarnation};
use crate::store::lanes::LaneTasks;
use crate::store::wakers::Wakers;
use crate::store::writer::Writer;
use log_writer::Lanes;
use news::News;
use server::Server;
use writer::PostgresSession;

/// An [`EventStore`] in a schema of a Postgres database.
pub struct PostgresEventStore {
    server: Arc<Server>,
    settings: PostgresEventSettings,
    entropy: Arc<dyn Entropy>,
    incarnation: LogIncarnation,
    lanes: Lanes,
    tasks: Arc<LaneTasks>,
    news: Arc<News>,
}

impl fmt::Debug for PostgresEventStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresEventStore").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl PostgresEventStore {
    /// Connects, brings the schema up to date and opens the store; encrypted if the settings say whom to
    /// trust. `entropy` names the incarnation of a new store and the sessions of writers: use the
    /// operating system's.
    ///
    /// # Errors
    /// `Invalid` for bad settings or a schema of another region; `Refused` for a wrong password, a
    /// certificate that is not trusted, has expired or is for another name, a server without TLS where
    /// it is demanded, a standby or a newer schema; `Corrupt` for a schema of another cluster; `Retry` while the
    /// server does not answer.
    pub async fn connect(
        config: tokio_postgres::Config,
        settings: PostgresEventSettings,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Error> {
        settings.check()?;
        let pool = pool::pool(config, &settings)?;
        Self::migrate(pool.clone(), &settings, &*entropy).await?;
        Self::from_pool(pool, settings, entropy).await
    }

    /// Brings the schema up to date, or makes it. Safe twice, and by several processes at once.
    ///
    /// # Errors
    /// As [`PostgresEventStore::connect`]; `Invalid` (`bad-pool`) as [`PostgresEventStore::from_pool`].
    pub async fn migrate(pool: Pool, settings: &PostgresEventSettings, entropy: &dyn Entropy) -> Result<(), Error> {
        settings.check()?;
        let server = Server::new(pool, settings);
        schema::refuse_standby(&server).await?;
        match schema::migrate(&server, settings, entropy).await {
            Ok(()) => Ok(()),
            Err(Failure::NotApplied(error)) => Err(error),
            // Migrating again finds out.
            Err(Failure::InDoubt(doubt)) => Err(Error::retry("migration-in-doubt", doubt.to_string())),
        }
    }

    /// Opens the store over a pool of the caller's, of at least two connections: one is kept for reads
    /// and for finding out who holds writers up. Each connection is asked once, when it is first used,
    /// whether it has the time-outs of the store's [options](PostgresEventSettings::session_options), waits
    /// for its commits to be durable (`synchronous_commit` is not `off`) and is encrypted, if the settings
    /// say whom to trust. Whose certificate it is, is for the pool to see to.
    ///
    /// # Errors
    /// As [`PostgresEventStore::connect`]; `Invalid` (`no-schema`) if it was not migrated; `Invalid`
    /// (`bad-pool`) if the pool or a connection of it has not what is said above, with the cure: also of
    /// reads and of writes, before anything was written, if that is so of a later connection.
    pub async fn from_pool(
        pool: Pool,
        settings: PostgresEventSettings,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Error> {
        settings.check()?;
        if pool.status().max_size < 2 {
            let message = "the pool has one connection: a writer that is held up would hold up reads; allow it two";
            return Err(Error::invalid("bad-pool", message));
        }
        let server = Arc::new(Server::new(pool, &settings));
        schema::refuse_standby(&server).await?;
        schema::check_version(&server, &settings.schema).await?;
        let incarnation = schema::identity(&server, &settings).await?.incarnation;
        let wakers = Arc::new(Wakers::default());
        let lanes = Lanes::new(Arc::clone(&server), incarnation, Arc::clone(&wakers));
        let news = Arc::new(News::new(Arc::clone(&server), wakers, settings.poll));
        Ok(Self { server, settings, entropy, incarnation, lanes, tasks: Arc::default(), news })
    }

    fn opened(&self) -> opening::Opened<'_> {
        opening::Opened { server: &self.server, incarnation: self.incarnation, lanes: &self.lanes }
    }
}

#[async_trait]
impl EventStore for PostgresEventStore {
    async fn open_writer(&self, logs: &[LogId], role: WriterRole) -> Result<Box<dyn EventWriter>, Failure> {
        let mut drawn = [0; 16];
        drawn.copy_from_slice(&self.entropy.draw()[..16]);
        let id = Uuid::from_bytes(drawn);
        opening::open(&self.opened(), &self.settings.region, logs, &role, id).await?;
        let lanes = logs.iter().map(|log| (log.clone(), self.lanes.of(log))).collect();
        let (tasks, role) = (Arc::clone(&self.tasks), Arc::new(role));
        Ok(Box::new(Writer::new(&role, PostgresSession { tasks, id, role: Arc::clone(&role), lanes })))
    }

    async fn seal(&self, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure> {
        opening::seal(&self.opened(), logs, grant).await
    }
}

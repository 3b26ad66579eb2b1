//! An event store in one file of this machine.
//!
//! Records, fences, versions, ids, cursors, the commit sequence and the incarnation lie in one
//! file and change in one transaction. Appends of many writers are committed in groups by one owned
//! thread, in two phases, before they are answered.
//!
//! The file survives kills and full disks; it does not survive its disk, which is what the mirror
//! in the other region is for.

mod chunk;
mod ids;
mod ledger;
mod lookup;
mod reader;
mod settings;
mod source;
mod tables;
mod writer;

pub use settings::EmbeddedEventSettings;

use std::sync::Arc;

use async_trait::async_trait;

use crate::embedded::{Committer, StoreFile, Submitter};
use crate::error::{Error, Failure};
use crate::log::LogId;
use crate::ownership::WriteGrant;
use crate::ports::event_store::{EventStore, EventWriter, WriterRole};
use crate::position::{Cut, LogIncarnation};
use crate::store::wakers::Wakers;
use crate::store::writer::Writer;
use ledger::{Answer, EventLedger, Request};
use writer::{EmbeddedSession, mismatched};

/// An [`EventStore`] in one redb file, with an owned thread that commits in groups.
///
/// Its writers and readers answer `Stopped` once it is closed. Dropping it commits what waits,
/// joins the thread and closes the file, which blocks for the time of a commit;
/// [`EmbeddedEventStore::close`] does the same without blocking the task.
#[derive(Debug)]
pub struct EmbeddedEventStore {
    file: Arc<StoreFile>,
    incarnation: LogIncarnation,
    wakers: Arc<Wakers>,
    submitter: Submitter<EventLedger>,
    committer: Committer<EventLedger>,
}

impl EmbeddedEventStore {
    /// Opens the file, or creates it. Blocks for the time of opening (milliseconds, however large
    /// the file is).
    ///
    /// # Errors
    /// `Refused` (`in-use`) if the file is open elsewhere; `Corrupt` if it is damaged; `Invalid` if
    /// it belongs to another region or is not an event store; `Retry` if the disk fails or is full.
    pub fn open(settings: &EmbeddedEventSettings) -> Result<Self, Error> {
        let file = StoreFile::open(&settings.path, settings.cache_bytes, &settings.content(), |transaction| {
            tables::create(transaction, &*settings.entropy)
        })?;
        Self::start(file, settings)
    }

    /// Opens a store over storage that is not a file, for tests that lose or limit it.
    ///
    /// # Errors
    /// As [`EmbeddedEventStore::open`].
    #[cfg(feature = "test-util")]
    pub fn open_on(settings: &EmbeddedEventSettings, storage: impl redb::StorageBackend) -> Result<Self, Error> {
        let file = StoreFile::open_on(storage, settings.cache_bytes, &settings.content(), |transaction| {
            tables::create(transaction, &*settings.entropy)
        })?;
        Self::start(file, settings)
    }

    fn start(file: StoreFile, settings: &EmbeddedEventSettings) -> Result<Self, Error> {
        let incarnation = file.read(tables::incarnation)?;
        let (file, wakers) = (Arc::new(file), Arc::new(Wakers::default()));
        let ledger = EventLedger::new(settings.region.clone(), incarnation, Arc::clone(&wakers));
        let committer = Committer::start(Arc::clone(&file), settings.group, ledger)?;
        Ok(Self { file, incarnation, wakers, submitter: committer.submitter(), committer })
    }

    /// Commits what waits, ends the thread and closes the file; every later call answers `Stopped`.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped, the store stays closing; closing or dropping it again does the rest.
    pub async fn close(&self) {
        self.committer.close().await;
    }
}

#[async_trait]
impl EventStore for EmbeddedEventStore {
    async fn open_writer(&self, logs: &[LogId], role: WriterRole) -> Result<Box<dyn EventWriter>, Failure> {
        let request = Request::Open { logs: logs.to_vec(), role: role.clone() };
        match self.submitter.submit(request, 0).await? {
            Answer::Opened(session) => {
                let (submitter, logs) = (self.submitter.clone(), logs.iter().cloned().collect());
                let role = Arc::new(role);
                Ok(Box::new(Writer::new(&role, EmbeddedSession { submitter, session, role: Arc::clone(&role), logs })))
            }
            other => Err(mismatched(&other)),
        }
    }

    async fn seal(&self, logs: &[LogId], grant: &WriteGrant) -> Result<Cut, Failure> {
        let request = Request::Seal { logs: logs.to_vec(), grant: grant.clone() };
        match self.submitter.submit(request, 0).await? {
            Answer::Sealed(cut) => Ok(cut),
            other => Err(mismatched(&other)),
        }
    }
}

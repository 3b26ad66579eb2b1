//! Opening, creating and reading one redb file.

use std::fs;
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use redb::{
    Builder, Database, Durability, ReadTransaction, ReadableDatabase as _, TableDefinition, TableHandle as _,
    WriteTransaction,
};

use super::fault::Fault;
use crate::error::Error;
use crate::ids::RegionId;

const FORMAT: u64 = 1;

// What redb 4 writes of a new file before its mark: it makes the file this long, all zeros, then
// writes the header without the mark, and after a sync the mark.
const MARK_BYTES: usize = 9;
const HEADER_BYTES: usize = 320;
const UNFINISHED_MAX_BYTES: u64 = 128 * 1_024;
const ABOUT: TableDefinition<'_, &str, &str> = TableDefinition::new("about");
const FORMAT_KEY: &str = "format";
const CONTENT_KEY: &str = "content";
const REGION_KEY: &str = "region";

/// What a file holds and whose it is, written at creation and compared at every opening.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    /// `events` or `state`.
    pub(crate) kind: &'static str,
    /// The region whose file it is.
    pub(crate) region: RegionId,
}

/// An open file. Later calls answer the first fault.
#[derive(Debug)]
pub(crate) struct StoreFile {
    path: PathBuf,
    // None once closed; readers hold the lock for one short read.
    database: RwLock<Option<Database>>,
    stopped: Mutex<Option<Error>>,
}

impl StoreFile {
    /// Opens the file, or creates it. `create` writes what a new file holds.
    pub(crate) fn open(
        path: &Path,
        cache_bytes: usize,
        content: &Content,
        create: impl Fn(&WriteTransaction) -> Result<(), Fault>,
    ) -> Result<Self, Error> {
        let mut builder = Builder::new();
        builder.set_cache_size(cache_bytes);
        let database = guarded(|| open_or_create(&builder, path)).map_err(|fault| fault.error(path))?;
        Self::over(path, database, content, create)
    }

    /// Opens a store over storage that is not a file.
    #[cfg(feature = "test-util")]
    pub(crate) fn open_on(
        storage: impl redb::StorageBackend,
        cache_bytes: usize,
        content: &Content,
        create: impl Fn(&WriteTransaction) -> Result<(), Fault>,
    ) -> Result<Self, Error> {
        let place = Path::new("(handed-in storage)");
        let mut builder = Builder::new();
        builder.set_cache_size(cache_bytes);
        let database = guarded(|| Ok(builder.create_with_backend(storage)?)).map_err(|fault| fault.error(place))?;
        Self::over(place, database, content, create)
    }

    fn over(
        path: &Path,
        database: Database,
        content: &Content,
        create: impl Fn(&WriteTransaction) -> Result<(), Fault>,
    ) -> Result<Self, Error> {
        let about = guarded(|| {
            if database.begin_read()?.list_tables()?.next().is_none() {
                let transaction = durable(&database)?;
                describe(&transaction, content)?;
                create(&transaction)?;
                transaction.commit()?;
            }
            read_about(&database)
        })
        .map_err(|fault| fault.error(path))?;
        check_about(path, about.as_ref(), content)?;
        Ok(Self { path: path.to_owned(), database: RwLock::new(Some(database)), stopped: Mutex::new(None) })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The error that every call answers, if there is one.
    pub(crate) fn stopped(&self) -> Option<Error> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on every call answers this error, unless it answers an earlier one already.
    pub(crate) fn stop(&self, error: Error) {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Closes the file and gives its lock back, after the reads that run now.
    pub(crate) fn close(&self) {
        self.stop(Error::stopped(
            "store-closed",
            format!("{}: the store was closed; open it again", self.path.display()),
        ));
        drop(self.database.write().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Reads as of the last commit.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&ReadTransaction) -> Result<T, Fault>) -> Result<T, Error> {
        self.with(|database| read(&database.begin_read()?)).map_err(|refusal| match refusal {
            Refusal::Stopped(error) => error,
            Refusal::Fault(fault) => {
                self.stop(fault.poison(&self.path));
                fault.error(&self.path)
            }
        })
    }

    /// Runs a piece of work on the open database.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, Fault>) -> Result<T, Refusal> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = self.stopped() {
            return Err(Refusal::Stopped(error));
        }
        let Some(database) = database.as_ref() else {
            return Err(Refusal::Stopped(Error::stopped("store-closed", "the store was closed; open it again")));
        };
        guarded(|| work(database)).map_err(Refusal::Fault)
    }
}

/// Why a piece of work did not succeed.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It was not begun.
    Stopped(Error),
    /// It failed on the way.
    Fault(Fault),
}

/// A write transaction that is durable when its commit returns.
///
/// Two phases, so that a torn last write cannot pass for a whole one; quick repair, so that opening
/// after a kill takes milliseconds however large the file is (it costs a few per cent of bytes).
pub(crate) fn durable(database: &Database) -> Result<WriteTransaction, Fault> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_two_phase_commit(true);
    transaction.set_quick_repair(true);
    Ok(transaction)
}

// The engine may panic on a file that was damaged from outside: that is a finding, not a crash.
fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Fault::damaged(format!("the storage engine ({})", said.unwrap_or("no message"))))
    })
}

// A kill while a file is being created leaves one that cannot be opened and holds nothing. Creators
// exclude each other by a lock of their own, so that such a remainder can be put aside safely; it is
// kept, in case somebody wants to see it, until the next one takes its place.
fn open_or_create(builder: &Builder, path: &Path) -> Result<Database, Fault> {
    match builder.open(path).map_err(Fault::from) {
        Err(fault) if fault.is_missing() || is_unfinished(path) => {}
        opened => return opened,
    }
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".creating");
    let lock = fs::OpenOptions::new().create(true).write(true).truncate(false).open(&lock_path)?;
    lock.try_lock().map_err(|cause| match cause {
        fs::TryLockError::WouldBlock => Fault::from(redb::DatabaseError::DatabaseAlreadyOpen),
        fs::TryLockError::Error(cause) => cause.into(),
    })?;
    if is_unfinished(path) {
        let mut aside = path.as_os_str().to_owned();
        aside.push(".unfinished");
        fs::rename(path, aside)?;
    }
    let database = builder.create(path)?;
    sync_directory(path)?;
    fs::remove_file(&lock_path)?;
    Ok(database)
}

/// Whether creation never got as far as the engine's mark at the file's beginning: no mark, no more
/// bytes than the engine makes before it writes the mark, and none of them written but its header.
/// A store that held something and has lost its beginning is damaged, and stays as it is.
fn is_unfinished(path: &Path) -> bool {
    let blank = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    let Ok(file) = fs::File::open(path) else { return false };
    let mut held = Vec::new();
    file.take(UNFINISHED_MAX_BYTES + 1).read_to_end(&mut held).is_ok_and(|length| {
        length as u64 <= UNFINISHED_MAX_BYTES
            && blank(&held[..MARK_BYTES.min(length)])
            && blank(&held[HEADER_BYTES.min(length)..])
    })
}

fn sync_directory(path: &Path) -> Result<(), Fault> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(fs::File::open(directory)?.sync_all()?)
}

fn describe(transaction: &WriteTransaction, content: &Content) -> Result<(), Fault> {
    let mut about = transaction.open_table(ABOUT)?;
    about.insert(FORMAT_KEY, FORMAT.to_string().as_str())?;
    about.insert(CONTENT_KEY, content.kind)?;
    about.insert(REGION_KEY, content.region.as_str())?;
    Ok(())
}

/// Format, content and region; none if the file is not one of ours.
fn read_about(database: &Database) -> Result<Option<[String; 3]>, Fault> {
    let transaction = database.begin_read()?;
    if !transaction.list_tables()?.any(|table| table.name() == ABOUT.name()) {
        return Ok(None);
    }
    let about = transaction.open_table(ABOUT)?;
    let field = |key: &str| -> Result<String, Fault> {
        let value = about.get(key)?.ok_or_else(|| Fault::damaged(format!("the file's description, {key}")))?;
        Ok(value.value().to_owned())
    };
    Ok(Some([field(FORMAT_KEY)?, field(CONTENT_KEY)?, field(REGION_KEY)?]))
}

fn check_about(path: &Path, about: Option<&[String; 3]>, content: &Content) -> Result<(), Error> {
    let place = path.display();
    let Some([format, kind, region]) = about else {
        return Err(Error::invalid("other-file", format!("{place}: a database, but not one of these stores")));
    };
    if *format != FORMAT.to_string() {
        return Err(Error::invalid(
            "other-format",
            format!("{place}: format {format}, this program reads format {FORMAT}"),
        ));
    }
    if kind != content.kind {
        return Err(Error::invalid("other-content", format!("{place}: holds {kind}, not {}", content.kind)));
    }
    if region != content.region.as_str() {
        return Err(Error::invalid(
            "other-region",
            format!("{place}: belongs to region {region}, opened as {}", content.region),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

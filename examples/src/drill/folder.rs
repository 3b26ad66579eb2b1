//! The folder of one run: locked while a drill works in it, and only ever about that run.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dcp_core::Error;
use dcp_core::clock::{Entropy, SeededEntropy};
use dcp_core::digest::Digest;
use dcp_core::ids::RunId;

use super::options::DrillOptions;
use super::record::{Phase, RunRecord};
use crate::foundation::{Foundation, read_json, write_json};
use crate::orders::Orders;

/// The record of a run, in its folder.
pub(super) const RECORD: &str = "drill.json";

/// A locked folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    // Released when the file is closed, also by a kill.
    _lock: File,
}

impl Folder {
    /// Locks a folder, creating it.
    ///
    /// # Errors
    /// `Refused` (`in-use`) if another drill works in it; `Stopped` if it cannot be written.
    pub fn lock(path: &Path) -> Result<Self, Error> {
        let failed =
            |cause: std::io::Error| Error::stopped("unwritable-folder", format!("{}: {cause}", path.display()));
        std::fs::create_dir_all(path).map_err(failed)?;
        let lock = File::create(path.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::refused(
                "in-use",
                format!("{}: another drill works in it; wait for it, or use another --out", path.display()),
            )),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }

    /// Locks the folder of a run that is there. Nothing is created.
    ///
    /// # Errors
    /// `Invalid` if it holds no run; otherwise as [`Folder::lock`].
    pub fn lock_run(path: &Path) -> Result<Self, Error> {
        if path.join(RECORD).exists() {
            return Self::lock(path);
        }
        Err(Error::invalid("no-run", format!("{}: holds no run to go on with", path.display())))
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The foundation in it.
    #[must_use]
    pub fn foundation(&self) -> Foundation {
        Foundation::at(&self.path)
    }

    fn record_path(&self) -> PathBuf {
        self.path.join(RECORD)
    }

    /// Writes the drill's record, durably.
    ///
    /// # Errors
    /// `Stopped` if it cannot be written.
    pub fn save(&self, record: &RunRecord) -> Result<(), Error> {
        write_json(&self.record_path(), record)
    }

    /// The record of the run in this folder.
    ///
    /// # Errors
    /// `Invalid` if there is none.
    pub fn record(&self) -> Result<RunRecord, Error> {
        if !self.record_path().exists() {
            return Err(Error::invalid("no-run", format!("{}: holds no run to go on with", self.path.display())));
        }
        read_json(&self.record_path())
    }

    /// Begins a run in an empty folder.
    ///
    /// # Errors
    /// `Refused` if the folder holds a run already; `Stopped` if it cannot be written.
    pub fn begin(&self, options: &DrillOptions, orders: &Orders) -> Result<RunRecord, Error> {
        if self.record_path().exists() {
            let message = format!("{}: holds a run already; --resume it, or use another --out", self.path.display());
            return Err(Error::refused("holds-a-run", message));
        }
        let ttl = options.ttl()?;
        let digest = Digest::of_fields([&options.seed().to_be_bytes()[..], orders.digest().as_bytes(), b"drill"]);
        self.foundation().create(ttl, &SeededEntropy::new(options.seed(), "foundation") as &dyn Entropy)?;
        let record = RunRecord {
            run: RunId::new(format!("drill-{}", &digest.to_string()[..16]))?,
            seed: options.seed(),
            ttl_ms: u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX),
            data: orders.digest(),
            data_path: options.data.clone(),
            store: options.store.unwrap_or_default(),
            dark: (!options.no_blackout).then_some(options.dark),
            turns: options.turns(orders.len())?,
            phase: Phase::Together,
            fault: None,
            taken_over_in_one: false,
            stale: None,
            seconds_before: 0.0,
            resumes: 0,
            last_status: std::collections::BTreeMap::new(),
            peak_memory_mb: std::collections::BTreeMap::new(),
        };
        self.save(&record)?;
        Ok(record)
    }

    /// Goes on with the run of this folder, which must be about the same data and seed.
    ///
    /// # Errors
    /// `Refused` with the difference, if options that name it were given otherwise.
    pub fn go_on(&self, options: &DrillOptions, orders: &Orders) -> Result<RunRecord, Error> {
        let mut record = self.record()?;
        let other =
            |what: &str| Err(Error::refused("other-run", format!("{}: its run is of {what}", self.path.display())));
        if record.data != orders.digest() || record.turns.lines != orders.len() {
            return other("other data or another number of lines");
        }
        if options.lines.is_some_and(|lines| lines != record.turns.lines) {
            return other(&format!("{} lines", record.turns.lines));
        }
        if options.seed.is_some_and(|seed| seed != record.seed) {
            return other(&format!("seed {}", record.seed));
        }
        if options.store.is_some_and(|store| store != record.store) {
            return other(&format!("--store {}", record.store.name()));
        }
        record.resumes += 1;
        self.save(&record)?;
        Ok(record)
    }
}

impl RunRecord {
    /// Time to live of the ownership leases.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl_ms)
    }
}

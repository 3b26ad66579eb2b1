//! The story, phase by phase. Each phase may be entered again after a crash of everything.

mod awaiting;
mod blackout;
mod homecoming;
mod returning;
mod together;

use std::path::PathBuf;
use std::sync::Arc;

use dcp_core::Error;
use dcp_core::clock::{Clock, SystemClock};
use dcp_core::tasks::TaskGroup;

use super::folder::Folder;
use super::group::Group;
use super::progress::Printer;
use super::record::{Dark, Phase, RunRecord};
use super::servers::Servers;
use crate::orders::{Home, Orders};
use crate::region::CrashAfter;

/// The region that goes dark.
pub(super) const LOST: Home = Home::West;
/// The region that takes over.
pub(super) const SURVIVOR: Home = Home::Central;

/// Where the story is told.
#[derive(Debug)]
pub struct Stage {
    pub(super) folder: Folder,
    pub(super) record: RunRecord,
    pub(super) orders: Orders,
    pub(super) group: Group,
    pub(super) tasks: TaskGroup,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) printer: Printer,
    pub(super) resumed: bool,
    /// Whether the first region went dark in this life of the drill, before the eyes of the survivor's plane.
    pub(super) saw_darkness: bool,
}

impl Stage {
    /// Starts what has to run in the phase that the record names.
    ///
    /// # Errors
    /// `Stopped` or `Retry` with the process that does not start, or with the one that ended while
    /// the others were being started.
    pub async fn set(
        folder: Folder,
        mut record: RunRecord,
        orders: Orders,
        printer: Printer,
        crash_after: Option<CrashAfter>,
        mut tasks: TaskGroup,
    ) -> Result<Self, Error> {
        let resumed = record.resumes > 0;
        let group = match start(&folder, &mut record, &printer, crash_after, &mut tasks).await {
            Ok(group) => group,
            Err(error) => {
                // A child that has ended by itself says more than the one that was stopped for it.
                tasks.stop().await?;
                return Err(error);
            }
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        Ok(Self { folder, record, orders, group, tasks, clock, printer, resumed, saw_darkness: false })
    }

    /// Tells the story from the record's phase to its end.
    ///
    /// # Errors
    /// What a process or a plan answers; the run may be resumed.
    pub async fn tell(&mut self) -> Result<(), Error> {
        loop {
            let next = match self.record.phase {
                Phase::Together => self.together().await?,
                Phase::Dark => self.dark().await?,
                Phase::TakenOver => self.wake().await?,
                Phase::Awake => self.rejoin().await?,
                Phase::Rejoined => self.homecoming(0).await?,
                Phase::Homecoming(home) => self.homecoming(home).await?,
                Phase::Produced => self.settle().await?,
                Phase::Ended => return Ok(()),
            };
            self.enter(next)?;
        }
    }

    pub(super) fn enter(&mut self, phase: Phase) -> Result<(), Error> {
        self.group.note_memory(&mut self.record);
        self.record.phase = phase;
        self.folder.save(&self.record)
    }

    /// The folder, the record and what still runs, once the story is told.
    #[must_use]
    pub fn into_parts(self) -> (Folder, RunRecord, Orders, Group, TaskGroup) {
        (self.folder, self.record, self.orders, self.group, self.tasks)
    }

    pub(super) fn data(&self) -> Option<PathBuf> {
        self.record.data_path.clone()
    }
}

async fn start(
    folder: &Folder,
    record: &mut RunRecord,
    printer: &Printer,
    crash_after: Option<CrashAfter>,
    tasks: &mut TaskGroup,
) -> Result<Group, Error> {
    let program = std::env::current_exe().map_err(|cause| Error::stopped("no-program", cause.to_string()))?;
    let servers = Servers::of(record.store, folder.path(), printer.sayer()).apart(record.dark == Some(Dark::Network));
    let mut group = Group::start(&program, folder, crash_after, servers, tasks).await?;
    let dark = matches!(record.phase, Phase::Dark | Phase::TakenOver);
    if dark && record.dark == Some(Dark::Cut) {
        group.isolate(LOST)?;
    }
    if dark && record.what_a_crash_made_of_the_fault() {
        folder.save(record)?;
    }
    // A region that was dark stays dark; one that was cut off lives on, isolated.
    let stays_dark = |home: &Home| *home == LOST && dark && record.dark != Some(Dark::Cut);
    let homes: Vec<_> = Home::ALL.into_iter().filter(|home| !stays_dark(home)).collect();
    group.start_servers(&homes, tasks).await?;
    for home in homes {
        group.start_region(home, record, tasks).await?;
    }
    for home in Home::ALL {
        group.start_producer(home, record, tasks)?;
    }
    Ok(group)
}

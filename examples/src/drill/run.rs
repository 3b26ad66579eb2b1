//! One drill from its options to its exit status.

use dcp_core::Error;
use dcp_core::clock::Clock as _;
use dcp_core::tasks::TaskGroup;
use tokio_util::sync::CancellationToken;

use super::data;
use super::folder::Folder;
use super::options::DrillOptions;
use super::progress::Printer;
use super::record::{Phase, RunRecord};
use super::story::Stage;
use crate::orders::Orders;
use crate::producer::MonotonicClock;

/// A run that is begun, on disk, and that any crash from here on leaves resumable.
#[derive(Debug)]
pub struct Begun {
    folder: Folder,
    record: RunRecord,
    orders: Orders,
}

/// Begins a run, or finds the one to go on with. Data is parsed as a whole before anything is
/// written beside the lock.
///
/// # Errors
/// `Invalid`, `Refused` or `Corrupt` for bad input; `Stopped` if the folder cannot be written.
pub fn begin(options: &DrillOptions) -> Result<Begun, Error> {
    let folder = if options.resume { Folder::lock_run(&options.out)? } else { Folder::lock(&options.out)? };
    let (given, lines) = match (&options.data, options.resume) {
        (None, true) => (folder.record()?.data_path, Some(folder.record()?.turns.lines)),
        (given, true) => (given.clone(), Some(folder.record()?.turns.lines)),
        (given, false) => (given.clone(), options.lines),
    };
    let orders = data::load(given.as_deref(), lines)?;
    let record = if options.resume { folder.go_on(options, &orders)? } else { folder.begin(options, &orders)? };
    Ok(Begun { folder, record, orders })
}

/// Tells the story, or goes on with it, until everything has ended and is on disk.
///
/// # Errors
/// What a process or a plan answers, or that a process ended unplanned; the run can be resumed.
pub async fn tell(options: &DrillOptions, begun: Begun) -> Result<(Folder, RunRecord, Orders), Error> {
    let Begun { folder, record, orders } = begun;
    if record.phase == Phase::Ended {
        return Ok((folder, record, orders));
    }
    let printer = Printer::new(&orders);
    let began = MonotonicClock::new().now();
    let tasks = TaskGroup::new(&CancellationToken::new());
    let stop = tasks.stop_token();
    let mut stage = Stage::set(folder, record, orders, printer, options.crash_after.clone(), tasks).await?;
    let told = tokio::select! {
        biased;
        () = stop.cancelled() => Err(Error::stopped("child-ended", "a process of the group has ended unplanned")),
        told = stage.tell() => told,
    };
    stage.printer.finish();
    let (folder, mut record, orders, group, tasks) = stage.into_parts();
    record.seconds_before += MonotonicClock::new().now().since(began).as_secs_f64();
    group.note_memory(&mut record);
    folder.save(&record)?;
    match told {
        Ok(()) => {
            group.finish().await;
            tasks.stop().await?;
            Ok((folder, record, orders))
        }
        Err(error) => {
            drop(group);
            // The first failure of a child says more than what the story met because of it.
            tasks.stop().await?;
            Err(error)
        }
    }
}

/// Runs a drill and answers its exit status.
///
/// # Errors
/// As [`begin`]; whatever goes wrong later is printed with the line that goes on with the run.
pub async fn drill(options: &DrillOptions) -> Result<u8, Error> {
    let begun = begin(options)?;
    match tell(options, begun).await {
        Ok((_folder, _record, _orders)) => Ok(0),
        Err(error) => {
            eprintln!("error: {error}");
            eprintln!("nothing is lost; to go on: cargo drill --resume --out {}", options.out.display());
            Ok(3)
        }
    }
}

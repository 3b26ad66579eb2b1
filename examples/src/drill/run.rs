//! One drill from its options to its exit status.

use dcp_core::clock::Clock as _;
use dcp_core::tasks::TaskGroup;
use dcp_core::{Error, ErrorKind};
use tokio_util::sync::CancellationToken;

use super::folder::Folder;
use super::options::DrillOptions;
use super::progress::Printer;
use super::record::{Phase, RunRecord};
use super::story::Stage;
use super::{data, export, judge, summary};
use crate::foundation::write_json;
use crate::orders::Orders;
use crate::producer::MonotonicClock;

/// Tells the story, or goes on with it, until everything has ended and is on disk.
///
/// # Errors
/// `Invalid` or `Refused` for bad input, before anything is started; anything else leaves a run
/// that can be resumed.
pub async fn tell(options: &DrillOptions, folder: Folder) -> Result<(Folder, RunRecord, Orders), Error> {
    let given = match (&options.data, options.resume) {
        (None, true) => folder.record()?.data_path,
        (given, _) => given.clone(),
    };
    let lines = if options.resume { Some(folder.record()?.turns.lines) } else { options.lines };
    let orders = data::load(given.as_deref(), lines)?;
    let record = if options.resume { folder.go_on(options, &orders)? } else { folder.begin(options, &orders)? };
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
        told = stage.tell() => told,
        () = stop.cancelled() => Err(Error::stopped("child-ended", "a process of the group has ended unplanned")),
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

/// Runs a drill, or judges a finished one again, and answers its exit status.
///
/// # Errors
/// As [`tell`]; the run, if one was begun, is told how to go on.
pub async fn drill(options: &DrillOptions) -> Result<u8, Error> {
    if options.verify && !options.out.join("drill.json").exists() {
        return Err(Error::invalid("no-run", format!("{}: holds no run to verify", options.out.display())));
    }
    let folder = Folder::lock(&options.out)?;
    let (folder, record, orders) = if options.verify { finished(folder)? } else { told(options, folder).await? };
    let judged = if options.verify {
        export::compare(folder.path()).await?;
        judge::judge(folder.path(), &record, &orders).await?
    } else {
        export::export(folder.path()).await?;
        let judged = judge::judge(folder.path(), &record, &orders).await?;
        write_json(&folder.path().join("verdict.json"), &judged.verdict)?;
        judged
    };
    summary::print(&judged, options, folder.path())?;
    Ok(judged.verdict.verdict.exit_status())
}

fn finished(folder: Folder) -> Result<(Folder, RunRecord, Orders), Error> {
    let record = folder.record()?;
    if record.phase != Phase::Ended {
        let message = format!("{}: its run has not ended; --resume it first", folder.path().display());
        return Err(Error::invalid("unfinished-run", message));
    }
    let orders = data::load(record.data_path.as_deref(), Some(record.turns.lines))?;
    Ok((folder, record, orders))
}

async fn told(options: &DrillOptions, folder: Folder) -> Result<(Folder, RunRecord, Orders), Error> {
    let told = tell(options, folder).await;
    if let Err(error) = &told
        && !matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Refused)
    {
        eprintln!("nothing is lost; go on with: cargo drill --resume --out {}", options.out.display());
    }
    told
}

//! One drill from its options to its exit status.

use std::path::Path;

use dcp_core::clock::{Clock as _, SystemClock};
use dcp_core::tasks::TaskGroup;
use dcp_core::{Error, ErrorKind};
use tokio_util::sync::CancellationToken;

use super::folder::Folder;
use super::judge::{self, Judged};
use super::options::DrillOptions;
use super::progress::{Printer, Say};
use super::record::{Phase, RunRecord};
use super::story::Stage;
use super::{data, export, servers, stores, summary, with_servers};
use crate::foundation::write_json;
use crate::orders::Orders;

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
/// `Invalid` or `Refused` for bad input; `Stopped` if the folder cannot be written.
pub fn begin(options: &DrillOptions) -> Result<Begun, Error> {
    let folder = if options.resume { Folder::lock_run(&options.out)? } else { Folder::lock(&options.out)? };
    let (given, lines) = match (&options.data, options.resume) {
        (None, true) => (folder.record()?.data_path, Some(folder.record()?.turns.lines)),
        (given, true) => (given.clone(), Some(folder.record()?.turns.lines)),
        (given, false) => (given.clone(), options.lines),
    };
    // A bundled file that is not the bundled one is bad input too.
    let orders = data::load(given.as_deref(), lines).map_err(|error| match error.kind() {
        ErrorKind::Corrupt => Error::invalid("bundled-data-differs", error.to_string()),
        _ => error,
    })?;
    let kind = if options.resume { folder.record()?.store } else { options.store.unwrap_or_default() };
    servers::check(kind, folder.path())?;
    let asked = (!options.no_blackout).then_some(options.dark);
    servers::check_dark(kind, if options.resume { folder.record()?.dark } else { asked })?;
    if !options.resume {
        // Bad input is told of before a download.
        options.ttl()?;
        options.turns(orders.len())?;
    }
    servers::obtain(kind, &Say::plain())?;
    let record = if options.resume { folder.go_on(options, &orders)? } else { folder.begin(options, &orders)? };
    Ok(Begun { folder, record, orders })
}

/// Tells the story, or goes on with it, until everything has ended and is on disk.
///
/// # Errors
/// What a process or a plan answers, or that a process ended unplanned; the run can be resumed.
pub async fn tell(options: &DrillOptions, begun: Begun) -> Result<Begun, Error> {
    let Begun { folder, record, orders } = begun;
    if record.phase == Phase::Ended {
        return Ok(Begun { folder, record, orders });
    }
    let printer = Printer::new(&orders);
    let began = SystemClock::monotonic().now();
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
    record.seconds_before += SystemClock::monotonic().now().since(began).as_secs_f64();
    group.note_memory(&mut record);
    folder.save(&record)?;
    match told {
        Ok(()) => {
            group.finish().await;
            tasks.stop().await?;
            Ok(Begun { folder, record, orders })
        }
        Err(error) => {
            let server = group.server_ended_unplanned();
            drop(group);
            // A server that is gone says more than a child that ended without it, and the first failure of a
            // child more than what the story met because of it.
            let stopped = tasks.stop().await;
            Err(server.or(stopped.err()).unwrap_or(error))
        }
    }
}

/// Runs a drill, or judges a finished one again, and answers its exit status.
///
/// # Errors
/// As [`begin`]. Whatever goes wrong once a run has begun is printed, with the line that goes on
/// with the run, and is no error: nothing was proved (3), or evidence contradicts itself (1).
pub async fn drill(options: &DrillOptions) -> Result<u8, Error> {
    let held = if options.resume || options.verify { Some(stores::kind_of(&options.out)?) } else { options.store };
    if !(options.resume || options.verify) {
        // Told of before anything is built.
        options.ttl()?;
    }
    with_servers::ensure(held.unwrap_or_default())?;
    if options.verify {
        let Begun { folder, record, orders } = finished(options)?;
        export::compare(folder.path()).await?;
        let judged = judge::judge(folder.path(), &record, &orders).await?;
        return sum_up(&judged, options, &folder);
    }
    let begun = begin(options)?;
    match Box::pin(tell_and_judge(options, begun)).await {
        Ok(status) => Ok(status),
        Err(error) => {
            eprintln!("error: {error}");
            eprintln!("nothing is lost; go on with: cargo drill --resume --out {}", quoted(&options.out));
            Ok(if error.kind() == ErrorKind::Corrupt { 1 } else { 3 })
        }
    }
}

// As a shell has to be told.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

async fn tell_and_judge(options: &DrillOptions, begun: Begun) -> Result<u8, Error> {
    let Begun { folder, record, orders } = tell(options, begun).await?;
    export::export(folder.path()).await?;
    if let Some(stale) = &record.stale {
        export::stale_doubts(folder.path(), &stale.doubtful_lines)?;
    }
    let judged = judge::judge(folder.path(), &record, &orders).await?;
    write_json(&folder.path().join("verdict.json"), &judged.verdict)?;
    sum_up(&judged, options, &folder)
}

fn sum_up(judged: &Judged, options: &DrillOptions, folder: &Folder) -> Result<u8, Error> {
    summary::print(judged, options, folder.path())?;
    Ok(judged.verdict.verdict.exit_status())
}

fn finished(options: &DrillOptions) -> Result<Begun, Error> {
    let folder = Folder::lock_run(&options.out)?;
    let record = folder.record()?;
    if record.phase != Phase::Ended {
        let message = format!("{}: its run has not ended; --resume it first", folder.path().display());
        return Err(Error::invalid("unfinished-run", message));
    }
    let orders = data::load(record.data_path.as_deref(), Some(record.turns.lines))?;
    Ok(Begun { folder, record, orders })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_a_shell_would_take_it_for_more() {
        assert_eq!(quoted(Path::new("drill-out/1")), "drill-out/1");
        assert_eq!(quoted(Path::new("my runs")), "'my runs'");
        assert_eq!(quoted(Path::new("a';b")), "'a'\\'';b'");
    }
}

//! The regions' journals as files, verified, and compared with the stores that they came from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dcp_core::Error;
use dcp_core::clock::SystemClock;
use dcp_core::ids::RegionId;
use dcp_core::ports::StateStore;
use dcp_core::runbook::{ExportLine, Journal, Summary, verify_export};

use super::stores;
use crate::foundation::Foundation;
use crate::orders::event_id;

mod lines;

pub(super) use lines::each_line;

/// Where the journal of a region is exported to.
#[must_use]
pub fn journal_path(dir: &Path, region: &RegionId) -> PathBuf {
    dir.join("journal").join(format!("{region}.jsonl"))
}

/// Exports the journal of each region to `journal/<region>.jsonl`, once the processes have ended.
/// Each is verified with the region's `local` keys before it takes its name.
///
/// # Errors
/// `Refused` (`in-use`) while a region runs; `Corrupt` with the sequence if a journal does not
/// verify; `Stopped` if a file cannot be written.
pub async fn export(dir: &Path) -> Result<BTreeMap<RegionId, Summary>, Error> {
    let foundation = Foundation::at(dir);
    let treaty = foundation.treaty()?;
    let mut summaries = BTreeMap::new();
    for region in treaty.regions() {
        let lines = journal_of(&foundation, &region).await?;
        let keys = treaty.keyring().local(&region)?;
        let summary = verify_export(&lines, keys).map_err(|error| error.at(&region))?;
        write_lines(&journal_path(dir, &region), lines.iter().map(ExportLine::to_json))?;
        summaries.insert(region, summary);
    }
    Ok(summaries)
}

/// Compares each exported journal with the region's store, line for line, and verifies it.
///
/// # Errors
/// `Corrupt` with the region and the sequence of the first line that is changed, missing or one
/// too many; otherwise as [`export`].
pub async fn compare(dir: &Path) -> Result<BTreeMap<RegionId, Summary>, Error> {
    let foundation = Foundation::at(dir);
    let treaty = foundation.treaty()?;
    let mut summaries = BTreeMap::new();
    for region in treaty.regions() {
        let held = journal_of(&foundation, &region).await?;
        let exported = texts(&journal_path(dir, &region))?;
        same(&exported, &held).map_err(|error| error.at(&region))?;
        summaries.insert(region.clone(), verify_export(&held, treaty.keyring().local(&region)?)?);
    }
    Ok(summaries)
}

async fn journal_of(foundation: &Foundation, region: &RegionId) -> Result<Vec<ExportLine>, Error> {
    let store = stores::state(&foundation.region_folder(region), "state.redb", region)?;
    let read = async {
        let state = Arc::clone(&store) as Arc<dyn StateStore>;
        Journal::open(state, Arc::new(SystemClock::new())).await?.export().await
    };
    let lines = read.await.map_err(|error| error.at(region));
    store.close().await;
    lines
}

/// The first difference is the error. Texts are compared, not what they mean.
fn same(exported: &[String], held: &[ExportLine]) -> Result<(), Error> {
    let differs = |sequence: usize, what: &str| {
        Err(Error::corrupt("journal-differs", format!("journal entry {sequence}: {what}")))
    };
    for (number, line) in held.iter().enumerate() {
        match exported.get(number) {
            None => return differs(number + 1, "held by the store and not exported"),
            Some(text) if *text != line.to_json() => {
                return differs(number + 1, "exported otherwise than the store holds it");
            }
            Some(_) => {}
        }
    }
    if exported.len() > held.len() {
        return differs(held.len() + 1, "exported and not held by the store");
    }
    Ok(())
}

/// Writes the lines that the stale writer has in doubt to `acks/stale.in_doubt.jsonl`, as producers
/// write theirs: a checker must know that each may be held twice.
///
/// # Errors
/// `Stopped` if the file cannot be written.
pub fn stale_doubts(dir: &Path, lines: &BTreeSet<u64>) -> Result<(), Error> {
    let texts = lines.iter().map(|line| serde_json::json!({ "id": event_id(*line), "line": line }).to_string());
    write_lines(&dir.join("acks").join("stale.in_doubt.jsonl"), texts)
}

fn write_lines(path: &Path, lines: impl IntoIterator<Item = String>) -> Result<(), Error> {
    let beside = path.with_extension("tmp");
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut out = std::io::BufWriter::new(fs::File::create(&beside)?);
        for line in lines {
            writeln!(out, "{line}")?;
        }
        out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&beside, path)?;
        path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    };
    write().map_err(|cause: std::io::Error| Error::stopped("unwritable-file", format!("{}: {cause}", path.display())))
}

fn texts(path: &Path) -> Result<Vec<String>, Error> {
    let text = fs::read_to_string(path)
        .map_err(|cause| Error::invalid("unreadable-file", format!("{}: {cause}", path.display())))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// The exported lines of a region.
///
/// # Errors
/// `Invalid` if the file is missing; `Corrupt` for a line of another form.
pub(super) fn exported(dir: &Path, region: &RegionId) -> Result<Vec<ExportLine>, Error> {
    let mut lines = Vec::new();
    each_line(&journal_path(dir, region), |line| {
        lines.push(line);
        Ok(())
    })?;
    Ok(lines)
}

#[cfg(test)]
mod tests;

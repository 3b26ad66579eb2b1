//! Runs a command whose output is progress, and is the error's text when it fails.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::Progress;
use crate::error::Error;
use crate::server::DIES_WITH_PARENT;

/// Lines of output kept for the error.
const TAIL_MAX: usize = 30;

/// Runs it to its end. It dies with this thread, which waits for it; what it has fetched by then is of use
/// to the next run.
pub(crate) fn run(command: &Command, folder: &Path, doing: &str, progress: Progress<'_>) -> Result<(), Error> {
    let (reader, writer) = io::pipe().map_err(Error::io(doing))?;
    let other = writer.try_clone().map_err(Error::io(doing))?;
    let mut bound = Command::new(DIES_WITH_PARENT[0]);
    bound.args(&DIES_WITH_PARENT[1..]).arg(command.get_program()).args(command.get_args());
    bound.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bound.current_dir(folder).stdin(Stdio::null()).stdout(other).stderr(writer);
    let mut child = bound.spawn().map_err(Error::io(doing))?;
    // The command holds the writing ends; the reader ends when the last of them is closed.
    drop(bound);
    let mut tail: Vec<String> = Vec::new();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.map_err(Error::io(doing))?;
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        progress(&format!("{doing}: {line}"));
        if tail.len() == TAIL_MAX {
            tail.remove(0);
        }
        tail.push(line);
    }
    let status = child.wait().map_err(Error::io(doing))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Command { doing: doing.to_owned(), ended: status.to_string(), tail: tail.join("\n") })
}

//! Runs a command whose output is progress, and is the error's text when it fails.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::Progress;
use crate::error::Error;

/// Lines of output kept for the error.
const TAIL_MAX: usize = 30;

/// Runs it to its end. It dies with this process' terminal, not by itself: what it has fetched by then is
/// of use to the next run.
pub(crate) fn run(mut command: Command, folder: &Path, doing: &str, progress: Progress<'_>) -> Result<(), Error> {
    let (reader, writer) = io::pipe().map_err(Error::io(doing))?;
    let other = writer.try_clone().map_err(Error::io(doing))?;
    command.current_dir(folder).stdin(Stdio::null()).stdout(other).stderr(writer);
    let mut child = command.spawn().map_err(Error::io(doing))?;
    // The command holds the writing ends; the reader ends when the last of them is closed.
    drop(command);
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

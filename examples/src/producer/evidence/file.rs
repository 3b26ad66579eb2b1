//! One file of evidence: a JSON object a line, appended and synced.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use dcp_core::error::Error;
use serde::de::DeserializeOwned;

/// Longest line that is read back, in bytes.
const LINE_MAX_BYTES: u64 = 4_096;

fn unusable(path: &Path, cause: &std::io::Error) -> Error {
    Error::invalid("evidence-unusable", format!("{}: {cause}", path.display()))
}

pub(super) fn create_directory(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(|cause| unusable(path, &cause))
}

/// Makes created names durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(|cause| unusable(path, &cause))
}

#[derive(Debug)]
pub(super) struct EvidenceFile {
    path: PathBuf,
    file: File,
}

impl EvidenceFile {
    /// Opens or creates it, locks it, and cuts a torn last line off, durably.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |cause: std::io::Error| unusable(path, &cause);
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!("{}: another producer writes it; stop that one first", path.display());
                return Err(Error::refused("in-use", message));
            }
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        let length = file.metadata().map_err(failed)?.len();
        let whole = whole_lines(&file, length).map_err(failed)?;
        if whole < length {
            file.set_len(whole).map_err(failed)?;
        }
        // Also what an earlier process wrote and did not come to sync.
        file.sync_all().map_err(failed)?;
        Ok(Self { path: path.to_owned(), file })
    }

    pub(super) fn lines<T: DeserializeOwned>(&self) -> Result<Lines<T>, Error> {
        let file = File::open(&self.path).map_err(|cause| unusable(&self.path, &cause))?;
        Ok(Lines { path: self.path.clone(), reader: BufReader::new(file), number: 0, of: PhantomData })
    }

    pub(super) fn append_durably(&self, text: &[u8]) -> Result<(), Error> {
        (&self.file).write_all(text).and_then(|()| self.file.sync_data()).map_err(|cause| {
            let path = self.path.display();
            Error::stopped("evidence-not-written", format!("{path}: {cause}; make room, then resume"))
        })
    }
}

/// Length up to and including the last line break.
fn whole_lines(mut file: &File, length: u64) -> std::io::Result<u64> {
    let mut end = length;
    let mut block = [0; 4_096];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let part = &mut block[..usize::try_from(end - start).unwrap_or(0)];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The lines of a file, parsed one after the other.
#[derive(Debug)]
pub struct Lines<T> {
    path: PathBuf,
    reader: BufReader<File>,
    number: u64,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Iterator for Lines<T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        self.number += 1;
        let place = format!("{}:{}", self.path.display(), self.number);
        match (&mut self.reader).take(LINE_MAX_BYTES).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_slice(&line).map_err(|cause| {
                Error::corrupt("bad-evidence", format!("{place}: {cause}; keep the file, it contradicts itself"))
            })),
            Err(cause) => Some(Err(Error::invalid("evidence-unusable", format!("{place}: {cause}")))),
        }
    }
}

#[cfg(test)]
impl EvidenceFile {
    /// A file on a disk without room.
    pub(super) fn full_disk() -> Self {
        let path = PathBuf::from("/dev/full");
        let file = OpenOptions::new().append(true).open(&path).unwrap();
        Self { path, file }
    }
}

//! The folder of one testbed's data: removed when it ends, or by the next one if it was killed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::Error;

const PREFIX: &str = "testbed-";
const LOCK: &str = "in-use";

/// A folder that nobody else uses.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _held: File,
}

impl Folder {
    /// A new one in the system's temporary directory, after what killed testbeds have left there is gone.
    pub(crate) fn fresh() -> Result<Self, Error> {
        let base = std::env::temp_dir();
        sweep(&base);
        let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&base);
        let path = made.map_err(Error::path("make a folder in", &base))?.keep();
        Self::hold(path)
    }

    fn hold(path: PathBuf) -> Result<Self, Error> {
        let lock = path.join(LOCK);
        let held = File::create(&lock).map_err(Error::path("create", &lock))?;
        held.try_lock().map_err(|error| Error::path("lock", &lock)(error.into()))?;
        Ok(Self { path, _held: held })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next testbed.
        let _left = fs::remove_dir_all(&self.path);
    }
}

fn sweep(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let path = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        // Without a lock file it is being made just now, or is not ours.
        let free = ours && File::open(path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if free {
            let _left = fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_stays_and_the_rest_is_swept() {
        let base = tempfile::tempdir().unwrap();
        let [used, left, other] = ["testbed-1", "testbed-2", "x"].map(|name| base.path().join(name));
        for path in [&used, &left, &other] {
            fs::create_dir(path).unwrap();
            File::create(path.join(LOCK)).unwrap();
        }
        let held = Folder::hold(used.clone()).unwrap();
        sweep(base.path());
        assert_eq!((used.exists(), left.exists(), other.exists()), (true, false, true));
        drop(held);
        assert!(!used.exists());
    }
}

//! The folder of one testbed's data: removed when it ends, or by the next one if it was killed; or kept
//! where its owner wants it, and opened again.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::{Error, Kept};

const PREFIX: &str = "testbed-";
const LOCK: &str = "in-use";
const FREE_WITHIN: Duration = Duration::from_secs(1);

/// A folder that nobody else uses.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    stays: bool,
    _held: File,
}

impl Folder {
    /// A new one in the system's temporary directory, after what killed testbeds have left there is gone.
    pub(crate) fn fresh() -> Result<Self, Error> {
        let base = std::env::temp_dir();
        sweep(&base);
        let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&base);
        let path = made.map_err(Error::path("make a folder in", &base))?.keep();
        Self::hold(path, false)
    }

    /// One at a place of the caller's own, made if it is not there, which stays.
    pub(crate) fn kept(path: &Path) -> Result<Self, Error> {
        fs::create_dir_all(path).map_err(Error::path("create", path))?;
        // Servers are told of it by its path and do not run where this process does.
        let path = path.canonicalize().map_err(Error::path("find", path))?;
        Self::hold(path, true)
    }

    fn hold(path: PathBuf, stays: bool) -> Result<Self, Error> {
        let lock = path.join(LOCK);
        let held = File::create(&lock).map_err(Error::path("create", &lock))?;
        // An owner that was killed a moment ago is still on its way out.
        let deadline = Deadline::within(FREE_WITHIN);
        loop {
            match held.try_lock() {
                Ok(()) => return Ok(Self { path, stays, _held: held }),
                Err(TryLockError::WouldBlock) if deadline.another_try() => {}
                Err(TryLockError::WouldBlock) => return Err(Error::Kept { folder: path, why: Kept::InUse }),
                Err(TryLockError::Error(error)) => return Err(Error::path("lock", &lock)(error)),
            }
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
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
        let held = Folder::hold(used.clone(), false).unwrap();
        sweep(base.path());
        assert_eq!((used.exists(), left.exists(), other.exists()), (true, false, true));
        drop(held);
        assert!(!used.exists());
    }

    #[test]
    fn what_is_kept_stays_and_is_held_by_one_alone() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("kept");
        let held = Folder::kept(&path).unwrap();
        let refused = Folder::kept(&path).unwrap_err();
        assert!(matches!(refused, Error::Kept { why: Kept::InUse, .. }), "{refused}");
        drop(held);
        Folder::kept(&path).unwrap();
    }
}

//! What else can go wrong with a server: its disk is full, its clock is far off, it is only a standby.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::Server;
use crate::error::Error;
use crate::obtain::{self, FAKE_CLOCK};

/// The file that takes up what is left of a disk.
const BALLAST: &str = "ballast";

impl Server {
    /// Fills its disk to the last byte. It must have one of its own: [`crate::Wanted::with_disks_of`].
    ///
    /// # Errors
    /// [`Error::Unknown`] if it has none; otherwise the disk could not be filled.
    pub fn fill_disk(&self) -> Result<(), Error> {
        // Large pieces first, then the rest; both end when nothing more goes in.
        let fill = |size: &str| format!("dd if=/dev/zero bs={size} 2>/dev/null >> {BALLAST}");
        self.on_disk(&format!("{}; {}; test -s {BALLAST}", fill("64k"), fill("512")))
    }

    /// Gives back what [`Server::fill_disk`] took.
    ///
    /// # Errors
    /// As [`Server::fill_disk`].
    pub fn free_disk(&self) -> Result<(), Error> {
        self.on_disk(&format!("rm {BALLAST}"))
    }

    fn on_disk(&self, script: &str) -> Result<(), Error> {
        let none = || Error::Unknown { what: format!("disk of {}", self.name()), known: "the machine's".to_owned() };
        let disk = self.member.disk.as_ref().ok_or_else(none)?;
        let words = disk.entering();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["sh", "-c", &format!("cd \"$1\" && {script}"), "sh"]).arg(disk.at());
        obtain::run(&command, &self.member.data, "fill the disk", &|_| {})
    }

    /// From its next start on it is in recovery, as a standby that follows nobody: it answers questions and
    /// refuses every write. With `false` it takes writes again.
    ///
    /// # Errors
    /// [`Error::Unknown`] if it is no server that can.
    pub fn stand_by(&self, standby: bool) -> Result<(), Error> {
        let cannot = || Error::Unknown { what: format!("standby {}", self.name()), known: "only postgres".to_owned() };
        let file = self.member.data.join(self.recipe().standby.ok_or_else(cannot)?);
        if standby {
            return fs::write(&file, "").map_err(Error::path("write", &file));
        }
        if file.exists() { fs::remove_file(&file).map_err(Error::path("remove", &file)) } else { Ok(()) }
    }

    /// From its next start on its wall clock is off by so many seconds; what counts time without a date goes on
    /// rightly. 0 puts it right. The machine's clock is never touched. A [`crate::harness::Case`] needs
    /// [`crate::FAKE_CLOCK`] for it.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a server that cannot be told another time: so far only Postgres can; [`Error::Missing`] without
    /// libfaketime.
    pub fn clock_off_by(&self, seconds: i64) -> Result<(), Error> {
        if !self.recipe().fakes_clock {
            let known = "only that of postgres".to_owned();
            return Err(Error::Unknown { what: format!("clock of {}", self.name()), known });
        }
        let mut off = self.member.clock_off.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *off = match seconds {
            0 => Vec::new(),
            _ => with_clock_off_by(seconds)?,
        };
        Ok(())
    }
}

/// What stands before a command whose wall clock is to be off by so many seconds; what counts time without a date
/// goes on rightly. For a server that cannot be told another time, its clients can be. A [`crate::harness::Case`]
/// needs [`crate::FAKE_CLOCK`] for it.
///
/// # Errors
/// [`Error::Missing`] without libfaketime.
pub fn with_clock_off_by(seconds: i64) -> Result<Vec<String>, Error> {
    Ok(vec![
        "env".to_owned(),
        format!("LD_PRELOAD={}", library()?.display()),
        format!("FAKETIME={seconds:+}s"),
        "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
        // Shared memory would be left behind by a killed process.
        "FAKETIME_DISABLE_SHM=1".to_owned(),
    ])
}

fn library() -> Result<PathBuf, Error> {
    obtain::libfaketime()
        .ok_or_else(|| Error::Missing { what: FAKE_CLOCK.to_owned(), cure: obtain::FAKE_CLOCK_CURE.to_owned() })
}

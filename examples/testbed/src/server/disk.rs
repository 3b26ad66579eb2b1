//! A small disk of a server's own: a tmpfs in a mount namespace, which lives as long as the process that holds
//! it. That has a supervisor like any server and dies with the owner; nothing is left mounted.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use super::{DIES_WITH_PARENT, Supervised};
use crate::deadline::Deadline;
use crate::error::Error;

const MOUNTED_WITHIN: Duration = Duration::from_secs(20);
/// The first word after the script is its own name.
const HOLD: &str = "mount -t tmpfs -o size=\"$1\",mode=0700 tmpfs \"$2\" && exec sleep infinity";

/// A disk, as long as this is held.
#[derive(Debug)]
pub(crate) struct Disk {
    at: PathBuf,
    pid: u32,
    _held: Mutex<Supervised>,
}

impl Disk {
    /// Mounts one of so many bytes there, for those only who enter.
    pub(crate) fn mount(at: PathBuf, bytes: u64, log: &Path) -> Result<Self, Error> {
        fs::create_dir_all(&at).map_err(Error::path("create", &at))?;
        let place = at.display().to_string();
        let (doing, size) = (format!("mount {place}"), bytes.to_string());
        let holder = ["unshare", "--mount", "--", "sh", "-c", HOLD, "sh", &size, &place];
        let command: Vec<_> = DIES_WITH_PARENT.iter().copied().chain(holder).map(str::to_owned).collect();
        let mut held = Supervised::start(&doing, &command, log)?;
        let deadline = Deadline::within(MOUNTED_WITHIN);
        let mounts = format!("/proc/{}/mounts", held.pid());
        let shown = format!(" {} tmpfs ", escaped(&place));
        let mounted = || fs::read_to_string(&mounts).is_ok_and(|mounts| mounts.contains(&shown));
        while !mounted() {
            if held.ended().is_some() || !deadline.another_try() {
                let why = std::io::Error::other(super::tail(log));
                return Err(Error::io(doing)(why));
            }
        }
        Ok(Self { at, pid: held.pid(), _held: Mutex::new(held) })
    }

    /// Where it is, for who enters.
    pub(crate) fn at(&self) -> &Path {
        &self.at
    }

    /// What stands before a command that is to see it.
    pub(crate) fn entering(&self) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--mount=/proc/{}/ns/mnt", self.pid), "--".to_owned()]
    }
}

// As the table of mounts has it.
fn escaped(place: &str) -> String {
    let each = |letter: char| match letter {
        ' ' => "\\040".to_owned(),
        '\\' => "\\134".to_owned(),
        other => other.to_string(),
    };
    place.chars().map(each).collect()
}

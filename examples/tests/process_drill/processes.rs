//! The processes of a running drill, found and killed.

use rustix::process::{Pid, Signal, kill_process};

/// A child of the drill: its id and its arguments.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) id: u32,
    pub(super) arguments: Vec<String>,
}

impl Process {
    /// Whether its arguments hold these words one after the other.
    pub(super) fn is(&self, words: &[&str]) -> bool {
        self.arguments.windows(words.len()).any(|window| window == words)
    }

    /// Ends it by `SIGKILL`.
    pub(super) fn kill(&self) {
        kill(self.id);
    }

    /// Whether it is gone, or has ended and nobody has asked for its status.
    pub(super) fn is_gone(&self) -> bool {
        self.state().is_none_or(|state| state == 'Z')
    }

    /// Whether it stands still (`SIGSTOP`).
    pub(super) fn is_stopped(&self) -> bool {
        self.state() == Some('T')
    }

    fn state(&self) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id)).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }
}

/// Ends a process by `SIGKILL`; it may have ended before.
pub(super) fn kill(id: u32) {
    let id = Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
    let _ = kill_process(id, Signal::KILL);
}

/// The children of a process now.
pub(super) fn children(of: u32) -> Vec<Process> {
    let mut found = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{of}/task")).into_iter().flatten().flatten() {
        let ids = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for id in ids.split_whitespace().filter_map(|id| id.parse().ok()) {
            let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let arguments = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
            found.push(Process { id, arguments: arguments.collect() });
        }
    }
    found
}

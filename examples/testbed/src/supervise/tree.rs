//! The server's processes: everything that descends from this one.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, wait};

const BETWEEN_ROUNDS: Duration = Duration::from_millis(2);
/// Rounds to wait for a stop to be seen; a process in the middle of a disk write stops after it.
const ROUNDS_MAX: u32 = 500;

/// Kills until there is nobody left, and reaps, so that ports and files are free when this returns.
pub(super) fn kill_all() {
    loop {
        let below = descendants(getpid());
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        if below.is_empty() {
            return;
        }
        for (pid, _) in below {
            // It may have ended in between: that is what is wanted.
            let _ended = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(BETWEEN_ROUNDS);
    }
}

/// Stops the server first, so that it forks no more, then all others, until each is seen stopped; says whether.
pub(super) fn pause(server: Pid) -> bool {
    for _ in 0..ROUNDS_MAX {
        let mut running = false;
        for (pid, state) in of(server) {
            if !matches!(state, 'T' | 'Z' | 'X') {
                running = true;
                let _ended = kill_process(pid, Signal::STOP);
            }
        }
        if !running {
            return true;
        }
        std::thread::sleep(BETWEEN_ROUNDS);
    }
    false
}

/// Lets all of them go on.
pub(super) fn resume(server: Pid) {
    for (pid, _) in of(server) {
        let _ended = kill_process(pid, Signal::CONT);
    }
}

fn of(server: Pid) -> Vec<(Pid, char)> {
    let mut all = descendants(getpid());
    all.sort_by_key(|(pid, _)| *pid != server);
    all
}

// One reading of the process table: pid, state and parent of each, then downwards from `top`.
fn descendants(top: Pid) -> Vec<(Pid, char)> {
    let table: Vec<(Pid, char, i32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            let (state, parent) = state_and_parent(&fs::read_to_string(entry.path().join("stat")).ok()?)?;
            Some((pid, state, parent))
        })
        .collect();
    let mut found: Vec<(Pid, char)> = Vec::new();
    let mut parents = vec![top];
    while let Some(parent) = parents.pop() {
        for (pid, state, _) in table.iter().filter(|(_, _, of)| *of == parent.as_raw_nonzero().get()) {
            found.push((*pid, *state));
            parents.push(*pid);
        }
    }
    found
}

// `42 (a name) with) S 41 ...`: the name may hold anything, so the last bracket counts.
fn state_and_parent(stat: &str) -> Option<(char, i32)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_process_table_of_odd_names() {
        assert_eq!(state_and_parent("42 (a) name) S 41 42"), Some(('S', 41)));
        assert_eq!(state_and_parent("42 (postgres: io) T 7 1"), Some(('T', 7)));
        assert_eq!(state_and_parent("garbage"), None);
    }
}

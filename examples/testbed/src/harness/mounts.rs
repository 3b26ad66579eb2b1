//! Whether this user may mount file systems, found out by doing it.

use std::process::{Command, Stdio};

/// Why not, with the cure.
pub(super) fn missing() -> Option<String> {
    let folder = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => return Some(format!("no temporary folder: {error}")),
    };
    let run = |words: &[&str]| {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let may = run(&["mount", "-t", "tmpfs", "-o", "size=1m", "may-mount"]) && run(&["umount"]);
    (!may).then(|| "this user may not mount file systems: run as root, with CAP_SYS_ADMIN".to_owned())
}

//! What stands before a server's own command.

use std::process::{Command, Stdio};

/// A user that is not root inside a user namespace of its own, and root outside: files stay ours, no other
/// account is needed, and shared memory goes with the namespace.
const NOT_ROOT: &[&str] = &["unshare", "--user", "--map-user=1000", "--map-group=1000", "--ipc", "--"];

/// For who is not root anyway: only for the shared memory's sake.
const OWN_MEMORY: &[&str] = &["unshare", "--user", "--map-current-user", "--ipc", "--"];

/// A server dies with its supervisor, even if that is killed.
pub(crate) const DIES_WITH_PARENT: [&str; 4] = ["setpriv", "--pdeathsig", "KILL", "--"];

/// The command with all that has to stand before it. Changing the user takes the death signal away, so it
/// is asked for after that.
pub(crate) fn wrapped(command: Vec<String>, namespace: &[&str]) -> Vec<String> {
    namespace.iter().chain(&DIES_WITH_PARENT).map(ToString::to_string).chain(command).collect()
}

/// What a server that refuses root needs. Where namespaces are not allowed, root cannot start it, and is
/// told so before; anybody else can, but a killed one leaves 56 bytes of shared memory behind.
pub(crate) fn namespace(refuses_root: bool) -> &'static [&'static str] {
    match refuses_root {
        true if rustix::process::geteuid().is_root() => NOT_ROOT,
        true if works(OWN_MEMORY) => OWN_MEMORY,
        _ => &[],
    }
}

fn works(namespace: &[&str]) -> bool {
    let mut command = Command::new(namespace[0]);
    command.args(&namespace[1..]).arg("true").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_death_signal_is_asked_for_last() {
        let command = wrapped(vec!["postgres".to_owned()], NOT_ROOT);
        assert_eq!(command[0], "unshare");
        assert_eq!(command[command.len() - 5..], ["setpriv", "--pdeathsig", "KILL", "--", "postgres"]);
        assert_eq!(wrapped(vec!["etcd".to_owned()], &[]), ["setpriv", "--pdeathsig", "KILL", "--", "etcd"]);
    }
}

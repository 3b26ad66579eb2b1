//! What stands before a server's own command. Pure but for the question who we are.

/// A user that is not root inside a user namespace of its own, and root outside: files stay ours, no other
/// account is needed, and shared memory goes with the namespace.
const NOT_ROOT: [&str; 6] = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--ipc", "--"];

/// A server dies with its supervisor, even if that is killed.
pub(crate) const DIES_WITH_PARENT: [&str; 4] = ["setpriv", "--pdeathsig", "KILL", "--"];

/// The command with all that has to stand before it. Changing the user takes the death signal away, so it
/// is asked for after that.
pub(crate) fn wrapped(command: Vec<String>, without_root: bool) -> Vec<String> {
    let before = NOT_ROOT.iter().take(if without_root { NOT_ROOT.len() } else { 0 });
    before.chain(&DIES_WITH_PARENT).map(ToString::to_string).chain(command).collect()
}

/// Whether a server that refuses root has to be wrapped for it.
pub(crate) fn we_are_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_death_signal_is_asked_for_last() {
        let command = wrapped(vec!["postgres".to_owned()], true);
        assert_eq!(command[0], "unshare");
        assert_eq!(command[command.len() - 5..], ["setpriv", "--pdeathsig", "KILL", "--", "postgres"]);
        assert_eq!(wrapped(vec!["etcd".to_owned()], false), ["setpriv", "--pdeathsig", "KILL", "--", "etcd"]);
    }
}

//! A drill on servers asked of a program that was built without them: it is built with them, and takes the
//! place of this one. So `cargo drill` by itself compiles no client and no testbed.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use dcp_core::Error;

use crate::event_store::StoreKind;

/// Set for the program that is built: should it be without servers too, it says so instead of trying again.
const BUILT: &str = "DRILL_BUILT_WITH_SERVERS";

/// Goes on where the store can be had; otherwise this process becomes one that has it.
///
/// # Errors
/// `Invalid` (`not-built`) with the command to type, if cargo cannot be called.
pub fn ensure(kind: StoreKind) -> Result<(), Error> {
    if kind == StoreKind::Embedded || cfg!(feature = "servers") {
        return Ok(());
    }
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let cargo = std::env::var_os("CARGO").filter(|_| std::env::var_os(BUILT).is_none());
    let Some(cargo) = cargo else { return Err(not_built(kind, &arguments, "it was not started by cargo")) };
    let profile = if cfg!(debug_assertions) { "an unoptimised" } else { "a" };
    eprintln!("--store {}: building {profile} drill with its client and the testbed, once", kind.name());
    // It does not come back unless it fails.
    let failed = Command::new(cargo).args(command()).args(&arguments).env(BUILT, "1").exec();
    Err(not_built(kind, &arguments, &failed.to_string()))
}

fn command() -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["run".into()];
    if !cfg!(debug_assertions) {
        words.push("--release".into());
    }
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    words.extend(["--manifest-path", manifest, "--features", "drill,servers", "--bin", "drill", "--"].map(Into::into));
    words
}

fn not_built(kind: StoreKind, arguments: &[OsString], why: &str) -> Error {
    let words: Vec<_> = command().iter().chain(arguments).map(|word| word.to_string_lossy().into_owned()).collect();
    let message = format!(
        "this drill was built without the servers of --store {}, and cannot build them ({why}); run: cargo {}",
        kind.name(),
        words.join(" ")
    );
    Error::invalid("not-built", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_to_type_builds_with_servers_and_keeps_the_arguments() {
        let error = not_built(StoreKind::Postgres, &["--store".into(), "postgres".into()], "no cargo");
        assert_eq!((error.kind(), error.code()), (dcp_core::ErrorKind::Invalid, "not-built"));
        let said = error.to_string();
        for words in ["run: cargo run ", "--features drill,servers --bin drill -- --store postgres", "(no cargo)"] {
            assert!(said.contains(words), "{words:?} is missing in: {said}");
        }
        assert!(ensure(StoreKind::Embedded).is_ok());
    }
}

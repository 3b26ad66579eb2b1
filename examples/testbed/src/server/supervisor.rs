//! Which program is a server's parent.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::error::Error;
use crate::supervise;

/// Names a supervisor that is already built.
const NAMED: &str = "TESTBED_SUPERVISOR";

/// Program and first arguments. A program that can supervise does it itself; for any other one, such as a
/// test binary, the supervisor is built, which costs something the first time only.
pub(super) fn command() -> Result<Command, Error> {
    if supervise::this_program_can() {
        // Also right when the file has been replaced by a newer build since.
        let mut itself = Command::new("/proc/self/exe");
        itself.arg(supervise::ASKED);
        return Ok(itself);
    }
    static BUILT: OnceLock<OsString> = OnceLock::new();
    if let Some(built) = BUILT.get() {
        return Ok(Command::new(built));
    }
    let program = match std::env::var_os(NAMED) {
        Some(named) => named,
        None => build()?,
    };
    Ok(Command::new(BUILT.get_or_init(|| program)))
}

fn build() -> Result<OsString, Error> {
    let doing = "build the supervisor";
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--message-format=json-render-diagnostics"])
        .args(["--package", "testbed", "--bin", "testbed-supervisor"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(Error::io(doing))?;
    let messages = String::from_utf8_lossy(&built.stdout).into_owned();
    let program = messages.lines().filter_map(executable).next_back();
    program.filter(|_| built.status.success()).map(OsString::from).ok_or_else(|| Error::Command {
        doing: doing.to_owned(),
        ended: built.status.to_string(),
        tail: String::new(),
    })
}

fn executable(message: &str) -> Option<String> {
    let message: Value = serde_json::from_str(message).ok()?;
    message.get("executable")?.as_str().map(str::to_owned)
}

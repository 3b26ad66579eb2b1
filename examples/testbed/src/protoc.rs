//! The compiler of protocol buffers, for crates that need one while they are built (`etcd-client`).

use std::path::PathBuf;

use crate::error::Error;

/// The variable by which builds find it.
pub const PROTOC: &str = "PROTOC";

/// Where it is: what [`PROTOC`] names already, or the one that came as a crate with this package. A crate cannot
/// hand it to another's build, so a program that calls cargo sets the variable: `cargo verify` and
/// `cargo testbed run` do.
///
/// # Errors
/// [`Error::Missing`] if there is none for this kind of machine.
pub fn protoc() -> Result<PathBuf, Error> {
    if let Some(named) = std::env::var_os(PROTOC).filter(|named| !named.is_empty()) {
        return Ok(named.into());
    }
    let absent =
        || Error::Missing { what: "protoc".to_owned(), cure: "apt-get install -y protobuf-compiler".to_owned() };
    protoc_bin_vendored::protoc_bin_path().ok().filter(|path| path.exists()).ok_or_else(absent)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn it_runs_and_says_its_version() {
        let output = Command::new(protoc().unwrap()).arg("--version").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.starts_with("libprotoc "), "{said}");
    }
}

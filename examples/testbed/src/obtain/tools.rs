//! What has to be installed, and what to type when it is not.

use std::process::{Command, Stdio};

use super::packed;
use crate::catalog::{Obtain, Recipe, Tool, recipe};
use crate::error::Error;

const SETPRIV: Tool = Tool { program: "setpriv", arguments: &["--version"], cure: "apt-get install -y util-linux" };
/// Asked only of root: anybody else starts such a server as it is.
const USER_NAMESPACES: Tool = Tool {
    program: "unshare",
    arguments: &["--user", "--map-user=1000", "--ipc", "--", "true"],
    cure: "run it as a user that is not root, or allow user namespaces: sysctl -w user.max_user_namespaces=1000",
};
const MAVEN: Tool = Tool { program: "mvn", arguments: &["--version"], cure: "apt-get install -y maven" };
const GO: Tool =
    Tool { program: "go", arguments: &["version"], cure: "install Go 1.26 or newer and put it on the PATH" };
const PYTHON: Tool = Tool { program: "python3", arguments: &["-c", "import lzma"], cure: "apt-get install -y python3" };

/// What is missing on this machine to run the server: nothing, or an [`Error::Missing`] with its cure.
/// The network is not asked.
#[must_use]
pub fn missing(recipe: &Recipe) -> Option<Error> {
    let namespaces = recipe.refuses_root && rustix::process::geteuid().is_root();
    let always = std::iter::once(&SETPRIV).chain(recipe.tools);
    let always = always.chain(namespaces.then_some(&USER_NAMESPACES));
    always.filter(|tool| !is_there(tool)).map(absent).next().or_else(|| {
        let needed = (!super::is_obtained(recipe)).then(|| require(&recipe.obtain).err());
        needed.flatten()
    })
}

/// What a [`crate::harness::Case`] needs that cuts one direction or one port: root, `ip` and `nft`.
pub const NAMESPACES: &str = "namespaces";

const OF_NAMESPACES: [Tool; 3] = [
    Tool {
        program: "unshare",
        arguments: &["--net", "--", "true"],
        cure: "run it as root, where network namespaces may be made (CAP_SYS_ADMIN)",
    },
    Tool { program: "ip", arguments: &["link"], cure: "apt-get install -y iproute2" },
    Tool { program: "nft", arguments: &["list", "tables"], cure: "apt-get install -y nftables" },
];

/// What is missing of a need: of a recipe, or of [`NAMESPACES`].
#[must_use]
pub fn lacking(need: &str) -> Option<Error> {
    if need == NAMESPACES {
        return OF_NAMESPACES.iter().find(|tool| !is_there(tool)).map(absent);
    }
    match recipe(need) {
        Some(recipe) => missing(recipe),
        None => Some(Error::Unknown { what: format!("recipe {need}"), known: NAMESPACES.to_owned() }),
    }
}

/// Refuses when what obtains it is not installed.
pub(super) fn require(obtain: &Obtain) -> Result<(), Error> {
    let tools: &[&Tool] = match obtain {
        Obtain::Maven { .. } => &[&MAVEN],
        Obtain::Go { .. } => &[&GO],
        Obtain::Packed { builds } => packed::build(builds).map(|_| &[&MAVEN, &PYTHON])?,
    };
    tools.iter().find(|tool| !is_there(tool)).map_or(Ok(()), |tool| Err(absent(tool)))
}

fn absent(tool: &Tool) -> Error {
    Error::Missing { what: tool.program.to_owned(), cure: tool.cure.to_owned() }
}

fn is_there(tool: &Tool) -> bool {
    let mut command = Command::new(tool.program);
    command.args(tool.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_is_not_there_is_named_with_its_cure() {
        let tool = Tool { program: "no-such-program-here", arguments: &[], cure: "install it" };
        assert!(!is_there(&tool));
        assert_eq!(absent(&tool).to_string(), "no-such-program-here is missing; cure: install it");
    }
}

//! Where a server is, as data: what `up --json` prints and what a command finds in its environment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::server::Member;
use crate::template::render;
use crate::tls::Tls;

/// One server's addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Its name, such as `kafka-a`.
    pub name: String,
    /// What kind of server it is: the recipe's name.
    pub kind: String,
    /// The version that was obtained.
    pub version: String,
    /// Its region; the witness has none.
    pub region: Option<String>,
    /// The port of each name.
    pub ports: BTreeMap<String, SocketAddr>,
    /// What a command finds in its environment about its cluster.
    pub environment: BTreeMap<String, String>,
    /// The file that holds its output.
    pub log: PathBuf,
    /// What clients of its TLS port have to trust.
    pub authority: PathBuf,
}

impl Address {
    pub(crate) fn of(member: &Member, tls: &Tls) -> Result<Self, Error> {
        let variable = format!("TESTBED_{}", member.group.to_uppercase().replace('-', "_"));
        let each = member.ports.keys().map(|name| Ok(((*name).to_owned(), member.address(name)?)));
        let ports = each.collect::<Result<_, Error>>()?;
        let mut environment = BTreeMap::new();
        for (suffix, text) in member.recipe.environment {
            environment.insert(format!("{variable}{suffix}"), render(text, &member.values)?);
        }
        environment.insert("TESTBED_CA".to_owned(), tls.authority().display().to_string());
        Ok(Self {
            name: member.name.clone(),
            kind: member.recipe.name.to_owned(),
            version: member.recipe.version.to_owned(),
            region: member.region.clone(),
            ports,
            environment,
            log: member.log(),
            authority: tls.authority(),
        })
    }
}

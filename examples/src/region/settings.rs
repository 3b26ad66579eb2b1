//! What one region process is told, as a file.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use dcp_core::Error;
use dcp_core::clock::{Entropy, SeededEntropy};
use dcp_core::ids::{HolderId, RegionId};

use super::failpoints::CrashAfter;
use crate::event_store::EventsAt;
use crate::foundation::Foundation;

/// Arguments of `drill region`.
#[derive(Debug, Clone, Args)]
pub struct RegionArguments {
    /// This region.
    #[arg(long)]
    pub region: String,
    /// The other region.
    #[arg(long)]
    pub peer: String,
    /// Folder with keys, treaty and this region's stores.
    #[arg(long)]
    pub dir: PathBuf,
    /// Address of the witness.
    #[arg(long)]
    pub witness: SocketAddr,
    /// Address of the other region.
    #[arg(long)]
    pub peer_address: SocketAddr,
    /// Where this region's events are: `folder`, `postgres://USER@HOST:PORT/DATABASE` or
    /// `kafka://HOST:PORT`.
    #[arg(long, default_value_t)]
    pub events: EventsAt,
    /// Name of this process in the election of the region's leader. No two processes that run may share
    /// one; drawn anew at each start if absent, and then a restart waits until the old term is over.
    #[arg(long)]
    pub holder: Option<String>,
    /// Seed of run names, nonces and jitter, for drills; drawn from the system if absent.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Kill this process after a step: STEP, STEP:intent or STEP:outcome.
    #[arg(long)]
    pub crash_after: Option<CrashAfter>,
    /// Lets a drill throttle links, hold appends and try the store from outside.
    #[arg(long)]
    pub drill_controls: bool,
    /// Process id of the parent with which this one ends.
    #[arg(long)]
    pub parent: Option<u32>,
}

/// Settings of a region.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs)]
pub struct RegionSettings {
    /// This region.
    pub region: RegionId,
    /// The other one.
    pub peer: RegionId,
    /// Keys, treaty and paths.
    pub foundation: Foundation,
    /// Address of the witness.
    pub witness: SocketAddr,
    /// Address of the other region.
    pub peer_address: SocketAddr,
    /// Where this region's events are.
    pub events: EventsAt,
    /// This process, in the election of the region's leader.
    pub holder: HolderId,
    /// Seed of run names, nonces and jitter; none: the system's randomness.
    pub seed: Option<u64>,
    /// Where to end by SIGKILL, if anywhere.
    pub crash_after: Option<CrashAfter>,
    /// Whether a drill may act on it from outside.
    pub drill_controls: bool,
}

/// A name that no other process has, for the election of a region's leader.
///
/// # Errors
/// `Invalid` if the region's name leaves no room for it.
pub fn own_holder(region: &RegionId, entropy: &dyn Entropy) -> Result<HolderId, Error> {
    let [a, b, c, d, e, f, g, h, ..] = entropy.draw();
    HolderId::new(format!("{region}.{:016x}", u64::from_be_bytes([a, b, c, d, e, f, g, h])))
}

impl RegionArguments {
    /// Checks the arguments.
    ///
    /// # Errors
    /// `Invalid` for a bad name; `Stopped` if the system has no randomness for one.
    pub fn settings(&self) -> Result<RegionSettings, Error> {
        let region = RegionId::new(&self.region)?;
        let holder = match &self.holder {
            Some(name) => HolderId::new(name)?,
            None => own_holder(&region, &SeededEntropy::from_system()?)?,
        };
        Ok(RegionSettings {
            region,
            holder,
            peer: RegionId::new(&self.peer)?,
            foundation: Foundation::at(&self.dir),
            witness: self.witness,
            peer_address: self.peer_address,
            events: self.events.clone(),
            seed: self.seed,
            crash_after: self.crash_after.clone(),
            drill_controls: self.drill_controls,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        region: RegionArguments,
    }

    fn holder(more: &[&str]) -> HolderId {
        let given = "region --region a --peer b --dir d --witness 127.0.0.1:1 --peer-address 127.0.0.1:2";
        let arguments = given.split(' ').chain(more.iter().copied());
        Program::try_parse_from(arguments).unwrap().region.settings().unwrap().holder
    }

    #[test]
    fn each_process_has_a_holder_of_its_own_unless_it_is_named() {
        assert_ne!(holder(&[]), holder(&[]));
        assert_eq!(holder(&["--holder", "a.first"]), HolderId::new("a.first").unwrap());
    }
}

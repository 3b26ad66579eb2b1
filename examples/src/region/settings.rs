//! What one region process is told, as a file.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use dcp_core::ids::RegionId;

use super::failpoints::CrashAfter;
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
    /// Seed of run names, nonces and jitter.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
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
    /// Seed of run names, nonces and jitter.
    pub seed: u64,
    /// Where to end by SIGKILL, if anywhere.
    pub crash_after: Option<CrashAfter>,
    /// Whether a drill may act on it from outside.
    pub drill_controls: bool,
}

impl RegionArguments {
    /// Checks the arguments.
    ///
    /// # Errors
    /// `Invalid` for a bad region name.
    pub fn settings(&self) -> Result<RegionSettings, dcp_core::Error> {
        Ok(RegionSettings {
            region: RegionId::new(&self.region)?,
            peer: RegionId::new(&self.peer)?,
            foundation: Foundation::at(&self.dir),
            witness: self.witness,
            peer_address: self.peer_address,
            seed: self.seed,
            crash_after: self.crash_after.clone(),
            drill_controls: self.drill_controls,
        })
    }
}

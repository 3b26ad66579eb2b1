//! A gate of a network namespace: a process inside that carries connections across its border. What calls and what
//! is called listen on loopback alone, on either side; between the gate and the drill they are packets that the
//! kernel can drop.

use std::net::{IpAddr, SocketAddr};

use clap::Args;
use dcp_core::Error;
use dcp_core::tasks::TaskGroup;
use tokio_util::sync::CancellationToken;

use super::proxy::Wire;
use crate::child::{Line, stop_with_input, tell};

/// Arguments of `drill gate`.
#[derive(Debug, Clone, Args)]
pub struct GateArguments {
    /// The address at which it listens, at a port for each that it leads to.
    #[arg(long)]
    pub listen: IpAddr,
    /// Where it leads to; may be given again.
    #[arg(long = "to", required = true)]
    pub to: Vec<SocketAddr>,
    /// Process id of the parent with which this one ends.
    #[arg(long)]
    pub parent: Option<u32>,
}

/// Carries connections until its standard input ends.
///
/// # Errors
/// `Stopped` if no port can be had.
pub async fn run(arguments: &GateArguments) -> Result<(), Error> {
    let stop = CancellationToken::new();
    let mut tasks = TaskGroup::new(&stop);
    let mut addresses = Vec::with_capacity(arguments.to.len());
    for to in &arguments.to {
        let wire = Wire::lay_at(&format!("to {to}"), arguments.listen, &mut tasks).await?;
        wire.lead_to(*to);
        addresses.push(wire.address());
    }
    stop_with_input(&stop);
    tell(&Line::Gate { addresses });
    stop.cancelled().await;
    tasks.stop().await
}

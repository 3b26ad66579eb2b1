//! The drill's command line: the drill itself and the programs that it runs.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use dcp_core::{Error, ErrorKind};

use crate::child::die_with_parent;
use crate::drill;
use crate::drill::gate::GateArguments;
use crate::drill::options::DrillOptions;
use crate::drill::stale::{self, StaleArguments};
use crate::producer_process::{self, ProducerArguments};
use crate::region::{self, Fittings, RegionArguments};
use crate::witness::{self, WitnessArguments};

/// Two regions take real order lines, lose one region in the middle, take over, get it back and
/// hand its work home. Without a command: the whole drill.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    drill: DrillOptions,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs one region: the program to copy.
    Region(RegionArguments),
    /// Runs the witness.
    Witness(WitnessArguments),
    /// Runs one producer.
    Producer(ProducerArguments),
    /// Carries connections across the border of a network namespace.
    Gate(GateArguments),
    /// Tries stale mandates on a region, and prints what it answered.
    Stale(StaleArguments),
    /// Prints every event that a region's store holds, one JSON a line.
    Dump(DumpArguments),
}

#[derive(Debug, Args)]
struct DumpArguments {
    /// Folder of the run; its region must not be running.
    #[arg(long)]
    out: std::path::PathBuf,
    /// The region.
    #[arg(long)]
    region: String,
}

/// Runs the command line; regions get these fittings.
pub fn main(fittings: &dyn Fittings) -> ExitCode {
    // A server's supervisor is this program again.
    #[cfg(feature = "servers")]
    testbed::supervise::if_asked();
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("DRILL_LOG").unwrap_or_else(|_| "warn,dcp_core=info".into()),
        )
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => return fail(&Error::stopped("no-runtime", cause.to_string())),
    };
    match runtime.block_on(run(arguments, fittings)) {
        Ok(status) => ExitCode::from(status),
        Err(error) => fail(&error),
    }
}

async fn run(arguments: Arguments, fittings: &dyn Fittings) -> Result<u8, Error> {
    match arguments.command {
        None => Box::pin(drill::run::drill(&arguments.drill)).await,
        Some(Command::Region(arguments)) => {
            die_with_parent(arguments.parent)?;
            Box::pin(region::run(arguments.settings()?, fittings)).await.map(|()| 0)
        }
        Some(Command::Witness(arguments)) => {
            die_with_parent(arguments.parent)?;
            witness::run(&arguments).await.map(|()| 0)
        }
        Some(Command::Producer(arguments)) => {
            die_with_parent(arguments.parent)?;
            producer_process::run(arguments).await.map(|()| 0)
        }
        Some(Command::Gate(arguments)) => {
            die_with_parent(arguments.parent)?;
            drill::gate::run(&arguments).await.map(|()| 0)
        }
        Some(Command::Stale(arguments)) => {
            die_with_parent(arguments.parent)?;
            let report = stale::run(&arguments).await?;
            println!(
                "{}",
                serde_json::to_string(&report).map_err(|cause| Error::stopped("unwritable", cause.to_string()))?
            );
            Ok(0)
        }
        Some(Command::Dump(arguments)) => {
            drill::with_servers::ensure(drill::stores::kind_of(&arguments.out)?)?;
            let region = dcp_core::ids::RegionId::new(&arguments.region)?;
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            drill::dump::dump(&arguments.out, &region, &mut out).await.map(|_| 0)
        }
    }
}

fn fail(error: &Error) -> ExitCode {
    eprintln!("error: {error}");
    // 1: evidence contradicts itself; 2: usage or bad input; 3: nothing was proved.
    ExitCode::from(match error.kind() {
        ErrorKind::Corrupt => 1,
        ErrorKind::Invalid | ErrorKind::Refused => 2,
        _ => 3,
    })
}

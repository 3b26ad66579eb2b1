//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use testbed::{Wanted, keeper};

/// Real servers on this machine, on loopback: Kafka, Postgres and etcd.
#[derive(Debug, Parser)]
#[command(name = "cargo testbed", version)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) what: What,
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Obtains what is not there yet, starts the servers and leaves them running.
    Up(Layout),
    /// Asks every server whether it serves.
    Status {
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Kills the servers and removes their data.
    Down,
    /// Prints the end of a server's output.
    Logs {
        /// The server, such as `kafka-a`.
        name: String,
        /// How many lines.
        #[arg(long, default_value_t = 100)]
        lines: usize,
    },
    /// Hurts a server that is up, or heals it.
    Fault {
        /// The server, such as `kafka-a`.
        name: String,
        /// What is done to it.
        fault: Fault,
    },
    /// Runs a command with the servers' addresses in its environment: those that are up, or its own.
    Run(Command),
    /// Obtains the servers, and starts none.
    Obtain {
        /// Only these.
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
    },
    /// Holds the servers of `up`.
    #[command(hide = true)]
    Keep(Layout),
}

#[derive(Debug, Args)]
pub(crate) struct Command {
    #[command(flatten)]
    pub(crate) layout: Layout,
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Layout {
    /// Only these servers.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Regions: `a`, `b`, ...
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=5))]
    pub(crate) regions: u8,
    /// Kafka brokers in region `a`.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=5))]
    pub(crate) brokers: u32,
    /// Each region in a network namespace of its own (root).
    #[arg(long)]
    pub(crate) namespaces: bool,
    /// Leaves out the witness.
    #[arg(long)]
    pub(crate) no_witness: bool,
    /// Prints JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Layout {
    pub(crate) fn wanted(&self) -> Wanted {
        let (only, regions, brokers) = (self.only.clone(), self.regions, self.brokers);
        let (witness, namespaces) = (!self.no_witness, self.namespaces);
        Wanted { only, regions, brokers, witness, namespaces, ..Wanted::default() }
    }

    /// Whether anything of it was asked for; `run` takes what is up otherwise.
    pub(crate) fn is_given(&self) -> bool {
        self.wanted() != Wanted::default()
    }

    /// The same as arguments again.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![format!("--regions={}", self.regions), format!("--brokers={}", self.brokers)];
        arguments.extend(self.only.iter().map(|name| format!("--only={name}")));
        arguments.extend(self.namespaces.then(|| "--namespaces".to_owned()));
        arguments.extend(self.no_witness.then(|| "--no-witness".to_owned()));
        arguments
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Fault {
    /// SIGSTOP to all its processes.
    Pause,
    /// SIGCONT.
    Resume,
    /// SIGKILL to all its processes.
    Kill,
    /// Started again, on its data.
    Start,
    /// Asked to stop.
    Stop,
}

impl From<Fault> for keeper::Fault {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Pause => Self::Pause,
            Fault::Resume => Self::Resume,
            Fault::Kill => Self::Kill,
            Fault::Start => Self::Start,
            Fault::Stop => Self::Stop,
        }
    }
}

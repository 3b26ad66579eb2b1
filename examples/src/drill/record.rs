//! What the drill itself must not forget: its run, how far the story has come, what was done to it.

use std::collections::BTreeMap;

use clap::ValueEnum;
use dcp_core::digest::Digest;
use dcp_core::ids::RunId;
use serde::{Deserialize, Serialize};

use super::stale::StaleReport;
use crate::event_store::StoreKind;
use crate::region::RegionStatus;

/// How the first region goes dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Dark {
    /// Stopped where it stands (`SIGSTOP`), and woken later.
    Pause,
    /// Killed (`SIGKILL`), and started again later.
    Kill,
    /// Its sockets to the other region and to the witness are cut: it lives, isolated.
    Cut,
    /// The kernel drops every packet between it, with its server, and everything else, producers too: it lives in a
    /// network namespace that nothing reaches. Only with a server as store, on Linux, as root.
    Network,
}

impl Dark {
    /// As reports name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Kill => "kill",
            Self::Cut => "cut",
            Self::Network => "network",
        }
    }
}

/// How far the story has come. Each is durable before the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Phase {
    /// Both regions produce, mirror, project.
    Together,
    /// The first region is dark; the other has not taken over yet.
    Dark,
    /// The other region has taken over.
    TakenOver,
    /// The first region is awake again, and its stale mandates were tried.
    Awake,
    /// It has rejoined: sealed, its tail delivered, caught up, compared.
    Rejoined,
    /// Slices go home; the number of those that are home.
    Homecoming(usize),
    /// All lines are produced; the processes may end.
    Produced,
    /// Everything was stopped and exported.
    Ended,
}

/// The lines at which the story turns, as record numbers of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Turns {
    /// Lines in all.
    pub lines: u64,
    /// The first region goes dark once this record of its own is acknowledged.
    pub dark_at: u64,
    /// It returns once this record is acknowledged.
    pub return_at: u64,
    /// Acknowledged lines that must not be mirrored when it goes dark.
    pub tail: u64,
}

/// The fault, once it has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct FaultFact {
    /// `CLOCK_MONOTONIC` at the fault, in nanoseconds.
    pub at_ns: u64,
    /// Acknowledged lines of the first region at that moment.
    pub acknowledged: u64,
    /// Of these, how many the other region had mirrored.
    pub mirrored: u64,
    /// The log on which an append was held between check and commit.
    pub held: Option<String>,
    /// What really happened, noted once it has: none while it is only planned. A crash of everything
    /// between plan and deed kills the region, whatever was planned.
    pub happened: Option<Dark>,
}

/// The drill's own durable record, `drill.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct RunRecord {
    /// The run; the same after every resume.
    pub run: RunId,
    /// The seed.
    pub seed: u64,
    /// Time to live of the ownership leases, in milliseconds.
    pub ttl_ms: u64,
    /// Digest of the data.
    pub data: Digest,
    /// The data's path, as given; none for the bundled file.
    pub data_path: Option<std::path::PathBuf>,
    /// What holds the regions' events.
    #[serde(default)]
    pub store: StoreKind,
    /// How the first region goes dark; none with `--no-blackout`.
    pub dark: Option<Dark>,
    /// Where the story turns.
    pub turns: Turns,
    /// How far it has come.
    pub phase: Phase,
    /// The fault.
    pub fault: Option<FaultFact>,
    /// Whether the other region had taken over before the first crash of the drill: then the time that
    /// it took is one of the regions, and is judged.
    pub taken_over_in_one: bool,
    /// Stale writes that were tried.
    pub stale: Option<StaleReport>,
    /// Wall time of the parts before this one, in seconds.
    pub seconds_before: f64,
    /// How often it was resumed.
    pub resumes: u32,
    /// What each region said last, by region.
    pub last_status: BTreeMap<String, RegionStatus>,
    /// Highest resident memory of each process, in mebibytes.
    pub peak_memory_mb: BTreeMap<String, u64>,
}

impl RunRecord {
    /// After a crash of everything in between plan and deed: the region died with the drill and is not
    /// started, or it is started and cut off, so that its wires are down before it runs. Answers
    /// whether there was anything to note.
    pub(super) fn what_a_crash_made_of_the_fault(&mut self) -> bool {
        let made = if self.dark == Some(Dark::Cut) { Dark::Cut } else { Dark::Kill };
        match &mut self.fault {
            Some(fault) if fault.happened.is_none() => {
                fault.happened = Some(made);
                true
            }
            _ => false,
        }
    }
}

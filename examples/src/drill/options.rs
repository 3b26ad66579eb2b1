//! What a drill is asked for on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use dcp_core::Error;
use dcp_core::clock::{Entropy as _, SeededEntropy};

use super::record::{Dark, Turns};
use crate::event_store::StoreKind;
use crate::region::CrashAfter;

/// Options of the drill itself.
#[derive(Debug, Clone, Args)]
pub struct DrillOptions {
    /// Folder for stores, evidence, journals and the verdict.
    #[arg(long, default_value = "drill-out", global = true)]
    pub out: PathBuf,
    /// Order lines as CSV, plain or zstd; the bundled ones if absent.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Only the first lines of the data.
    #[arg(long)]
    pub lines: Option<u64>,
    /// The first region goes dark once this record of its own is acknowledged; if absent, at 40 %
    /// and up to 1 % more, as the seed draws it.
    #[arg(long)]
    pub dark_at: Option<u64>,
    /// It returns once this record is acknowledged; at 60 % if absent.
    #[arg(long)]
    pub return_at: Option<u64>,
    /// Acknowledged lines that must not be mirrored when it goes dark; 1 %, at least 500, if absent.
    #[arg(long)]
    pub tail: Option<u64>,
    /// What holds each region's events: a file, or a server of the region's own that the drill starts;
    /// a file if absent. A region that is paused or killed takes its server with it.
    #[arg(long, value_enum)]
    pub store: Option<StoreKind>,
    /// How the first region goes dark.
    #[arg(long, value_enum, default_value_t = Dark::Pause)]
    pub dark: Dark,
    /// Seed of keys, run names and fault placement; 1 if absent.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Time to live of the ownership leases, in seconds. The library recommends 8.
    #[arg(long, default_value_t = 5.0)]
    pub ttl: f64,
    /// Goes on with the run in the folder, after any crash.
    #[arg(long)]
    pub resume: bool,
    /// Judges the finished run in the folder again, from its evidence.
    #[arg(long, conflicts_with = "resume")]
    pub verify: bool,
    /// No region goes dark; the verdict is then inconclusive.
    #[arg(long)]
    pub no_blackout: bool,
    /// Prints the verdict as JSON.
    #[arg(long)]
    pub json: bool,
    /// A region kills itself after a step of a plan: STEP, STEP:intent, STEP:acted or STEP:outcome.
    #[arg(long)]
    pub crash_after: Option<CrashAfter>,
}

impl DrillOptions {
    /// The seed of a new run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or(1)
    }

    /// The time to live.
    ///
    /// # Errors
    /// `Invalid` outside 0.5 to 600 seconds.
    pub fn ttl(&self) -> Result<Duration, Error> {
        if !(0.5..=600.0).contains(&self.ttl) {
            return Err(Error::invalid("bad-ttl", format!("--ttl {}: from 0.5 to 600 seconds", self.ttl)));
        }
        Ok(Duration::from_secs_f64(self.ttl))
    }

    // Where the fault falls is part of what a seed decides.
    fn drawn_below(&self, bound: u64) -> u64 {
        let drawn = SeededEntropy::new(self.seed(), "fault").draw();
        let number = drawn.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        number % bound.max(1)
    }

    /// Where the story turns, for this many lines.
    ///
    /// # Errors
    /// `Invalid` if the turns are out of order or leave no room for a tail.
    pub fn turns(&self, lines: u64) -> Result<Turns, Error> {
        let turns = Turns {
            lines,
            dark_at: self.dark_at.unwrap_or_else(|| lines * 40 / 100 + self.drawn_below(lines / 100)),
            return_at: self.return_at.unwrap_or(lines * 60 / 100),
            tail: self.tail.unwrap_or((lines / 100).max(500)),
        };
        let ordered =
            turns.tail >= 1 && turns.tail < turns.dark_at && turns.dark_at < turns.return_at && turns.return_at < lines;
        if self.no_blackout || ordered {
            return Ok(turns);
        }
        Err(Error::invalid(
            "bad-turns",
            format!(
                "of {lines} lines: --tail {} < --dark-at {} < --return-at {} < lines must hold; use more lines or a smaller tail",
                turns.tail, turns.dark_at, turns.return_at
            ),
        ))
    }
}

//! The form of `verdict.json`. Its JSON Schema is `examples/verdict.schema.json`.

use std::collections::BTreeMap;

use dcp_core::ids::{ProjectionId, RegionId, ScopeId, SliceId};
use dcp_core::log::LogId;
use dcp_core::ports::DeliveryCounts;
use serde::{Deserialize, Serialize};

use crate::event_store::StoreKind;
use crate::orders::ReadModels;

/// The judgement of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Judgement {
    /// Everything that was to show has shown, and every invariant held.
    Passed,
    /// An invariant did not hold.
    Failed,
    /// Nothing went wrong, and not everything was proved.
    Inconclusive,
}

impl Judgement {
    /// Exit status of the drill: 0 passed, 1 failed, 3 inconclusive (2 is bad usage or input).
    #[must_use]
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Inconclusive => 3,
        }
    }
}

/// What a takeover left behind on one log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Rpo {
    /// The lost region's log.
    pub log: LogId,
    /// Records acknowledged and not mirrored at the takeover; known after the return.
    pub unreplicated_records: u64,
    /// Bound on the age of what may be missing, declared at the takeover; null if the survivor was
    /// restarted while the other region was dark and had seen no heartbeat in its life.
    pub declared_seconds: Option<f64>,
    /// Estimate of what may be missing, declared at the takeover.
    pub declared_records: u64,
    /// Records still missing at the end.
    pub lost_records: u64,
}

/// One invariant of the reliability table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Invariant {
    /// Its name, such as `F2`.
    pub id: String,
    /// What it says.
    pub statement: String,
    /// Whether it held each time.
    pub held: bool,
    /// How often it was checked.
    pub checked: u64,
}

/// One planned fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Fault {
    /// What was done, such as `pause`.
    pub kind: String,
    /// The line at which it was to happen.
    pub at_line: u64,
    /// Whether it happened.
    pub fired: bool,
}

/// Codes of refusals that say that the mandate itself is over: a newer epoch is known, the lease has
/// run out, or the slice is open under another epoch. A region that merely cannot be reached, is
/// still closed or is busy refuses by other codes, and proves nothing by that.
pub const STALE_CODES: [&str; 3] = ["stale", "lease-run-out", "other-epoch"];

/// Attempts to write under a stale mandate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct StaleWrites {
    /// What was written to.
    pub resource: String,
    /// Attempts.
    pub attempted: u64,
    /// Refused with a reason.
    pub refused: u64,
    /// The refusals by their code; only those of [`STALE_CODES`] show that the mandate was known
    /// to be stale. Together they are the refusals.
    pub reasons: BTreeMap<String, u64>,
    /// Of unknown outcome.
    pub in_doubt: u64,
}

impl StaleWrites {
    /// Refusals that name the staleness of the mandate.
    #[must_use]
    pub fn refused_as_stale(&self) -> u64 {
        STALE_CODES.iter().filter_map(|code| self.reasons.get(*code)).sum()
    }
}

/// How long nobody could write a slice during a planned move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct WritePause {
    /// The scope.
    pub scope: ScopeId,
    /// The slice.
    pub slice: SliceId,
    /// The pause, in milliseconds.
    pub ms: f64,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct StepReport {
    /// The step.
    pub id: String,
    /// The plan's phase that it belongs to.
    pub phase: String,
    /// How long it took.
    pub seconds: f64,
    /// What became of it.
    pub outcome: String,
}

/// What a drill found out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// The judgement.
    pub verdict: Judgement,
    /// What held the regions' events.
    pub store: StoreKind,
    /// Seed of the run.
    pub seed: u64,
    /// Time to live of the ownership leases.
    pub ttl_seconds: f64,
    /// Wall time of the drill.
    pub seconds: f64,
    /// From the fault to the later of the survivor's first acknowledgement and all its probes
    /// green; null without a takeover.
    pub rto_seconds: Option<f64>,
    /// From the last renewal seen to slices sealed and open; null without a takeover.
    pub takeover_seconds: Option<f64>,
    /// Acknowledgements under an older epoch after the takeover.
    pub post_takeover_acks: u64,
    /// By log of the lost region.
    pub rpo: Vec<Rpo>,
    /// The invariants that were checked; what is not built is absent.
    pub invariants: Vec<Invariant>,
    /// The planned faults.
    pub faults: Vec<Fault>,
    /// Writes under a stale mandate, by resource.
    pub stale_writes: Vec<StaleWrites>,
    /// By region and projection.
    pub deliveries: BTreeMap<RegionId, BTreeMap<ProjectionId, DeliveryCounts>>,
    /// Planned moves, slice by slice.
    pub write_pause_ms: Vec<WritePause>,
    /// What each region's read models hold at the end.
    pub read_models: BTreeMap<RegionId, ReadModels>,
    /// Highest resident memory of each process, in mebibytes, by the process's name.
    pub peak_memory_mb: BTreeMap<String, u64>,
    /// The steps of all runs, in order.
    pub steps: Vec<StepReport>,
}

#[cfg(test)]
mod tests;

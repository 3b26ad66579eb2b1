//! The judgement of a finished run, from its evidence: what both stores hold, what the producers
//! were told, what the witness and the journals say, and the order file. What the regions claim of
//! themselves is taken only where nothing else can show it (deliveries, memory).
//!
//! ```text
//! event stores ×2, acks, witness, journals, models.redb ×2, order lines ──> tables in memory
//!     ──> one pure function per invariant ──> passed, failed or inconclusive, with the reasons
//! ```

mod clock_offset;
mod content_kept;
mod current_epoch;
mod epochs_rise;
mod finding;
mod fold;
mod gather;
mod gathered;
mod history;
mod judgement;
mod logs;
mod mirrors_equal;
mod mirrors_prefix;
mod models_folded;
mod models_found;
mod old_acks;
#[cfg(test)]
mod sample;
mod stale_refused;
mod table;
mod takeover;
mod told;
mod versions_gapless;
mod write_pauses;
mod write_up;

use std::path::Path;

use dcp_core::Error;

use self::clock_offset::ClockOffset;
use self::finding::Finding;
use self::gathered::{Derived, Gathered};
use self::takeover::Takeover;
use self::write_pauses::write_pauses;
use super::record::RunRecord;
use crate::orders::Orders;
use crate::verdict::{Judgement, Verdict};

/// A verdict and what is to be said beside it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Judged {
    /// The verdict, as `verdict.json` holds it.
    pub verdict: Verdict,
    /// Why it is not `passed`, violations first; empty if it is.
    pub reasons: Vec<String>,
    /// What could not be measured and does not weigh.
    pub notes: Vec<String>,
}

/// Judges the run in a folder. Its processes have ended and its journals are exported
/// ([`export`](super::export::export)); nothing is written.
///
/// `seconds` of the verdict is [`RunRecord::seconds_before`]: the caller brings that up to date
/// before, or adds its own part to the verdict.
///
/// Costs some 200 bytes of memory per line beside the order lines themselves.
///
/// # Errors
/// `Invalid` with the file if evidence is missing; `Refused` (`in-use`) while a process runs;
/// `Corrupt` if evidence contradicts itself so that it cannot be read: keep it, nothing is judged.
pub async fn judge(dir: &Path, record: &RunRecord, orders: &Orders) -> Result<Judged, Error> {
    let (gathered, contradictions) = Box::pin(gather::gather(dir, orders)).await?;
    Ok(judge_gathered(&gathered, record, contradictions, ClockOffset::now()))
}

/// All invariants, in the order of their names.
fn findings(from: &Gathered, derived: &Derived, record: &RunRecord) -> Vec<Finding> {
    let stale = record.stale.as_ref();
    vec![
        epochs_rise::judge(from),
        old_acks::judge(from, derived),
        current_epoch::judge(from, derived, record.fault.as_ref()),
        stale_refused::judge(stale, derived),
        mirrors_equal::judge(from, derived),
        mirrors_prefix::judge(from),
        content_kept::judge(from),
        models_folded::judge(from),
        models_found::judge(from),
        versions_gapless::judge(from, &record.last_status),
    ]
}

fn judge_gathered(from: &Gathered, record: &RunRecord, contradictions: Vec<String>, clocks: ClockOffset) -> Judged {
    let derived = Derived::of(from, record.stale.as_ref());
    let findings = findings(from, &derived, record);
    let takeover = Takeover::find(from);
    let left = takeover.as_ref().map(|takeover| takeover.exposure(from, &derived)).unwrap_or_default();
    let takeover::LeftBehind { rpo, mut unknown, undeclared } = left;
    let (write_pause_ms, mut notes) = write_pauses(from, &derived);
    // A bound rests on heartbeats seen in a process's life: only a run that was never interrupted
    // owes one.
    if record.resumes == 0 { &mut unknown } else { &mut notes }.extend(undeclared);
    let fault_ns = record.fault.as_ref().map(|fault| fault.at_ns);
    let recovery = takeover.as_ref().zip(fault_ns);
    let mut verdict = Verdict {
        verdict: Judgement::Inconclusive,
        store: record.store,
        seed: record.seed,
        ttl_seconds: std::time::Duration::from_millis(record.ttl_ms).as_secs_f64(),
        seconds: record.seconds_before,
        rto_seconds: recovery.and_then(|(takeover, fault)| takeover.recovery_seconds(from, fault, clocks)),
        takeover_seconds: takeover.as_ref().and_then(|takeover| takeover.seconds(from)),
        post_takeover_acks: old_acks::after_takeover(from, &derived),
        rpo,
        invariants: findings.iter().map(|finding| finding.invariant.clone()).collect(),
        faults: write_up::faults(record),
        stale_writes: record.stale.as_ref().map(|stale| stale.writes.clone()).unwrap_or_default(),
        deliveries: write_up::deliveries(record),
        write_pause_ms,
        read_models: from.models.iter().map(|(home, models)| (home.region_id(), models.clone())).collect(),
        peak_memory_mb: write_up::peak_memory(record),
        steps: write_up::steps(&from.story),
    };
    let survivor = takeover.as_ref().map(|takeover| takeover.survivor);
    let takeover_most = takeover::most_seconds(record).unwrap_or_else(|error| {
        unknown.push(error.to_string());
        None
    });
    if takeover.is_some() && !record.taken_over_in_one {
        notes.push("the drill was interrupted before the takeover was complete: its time is not judged".to_owned());
    }
    let weighed = judgement::Weighed {
        findings: &findings,
        contradictions,
        unknown,
        survivor,
        takeover_most,
        copies: survivor.map_or(0, |survivor| mirrors_equal::copies(&derived, survivor)),
        rejoined: from.story.completed("rejoin"),
        away: write_up::away(from),
    };
    let (judgement, reasons) = judgement::judge(&verdict, record, &weighed);
    verdict.verdict = judgement;
    Judged { verdict, reasons, notes }
}

#[cfg(test)]
mod tests;

//! Passed, failed or inconclusive, and why. Pure.

use dcp_core::ids::RegionId;

use super::finding::Finding;
use super::stale_refused;
use crate::drill::record::{Phase, RunRecord};
use crate::orders::Home;
use crate::verdict::{Judgement, Verdict};

/// What the judgement weighs beside the verdict's own figures.
#[derive(Debug)]
pub(super) struct Weighed<'a> {
    pub(super) findings: &'a [Finding],
    /// Contradictions that no invariant of the list names.
    pub(super) contradictions: Vec<String>,
    /// What could not be learned.
    pub(super) unknown: Vec<String>,
    /// The region that took over; none without a takeover.
    pub(super) survivor: Option<Home>,
    /// Most seconds that the takeover may have taken; none if the drill itself was interrupted in it.
    pub(super) takeover_most: Option<f64>,
    /// Lines that the survivor holds in two logs.
    pub(super) copies: u64,
    /// Whether a return was completed.
    pub(super) rejoined: bool,
    /// Slices that are not at home at the end.
    pub(super) away: Vec<String>,
}

/// The judgement and its reasons; no reason if it passed.
pub(super) fn judge(verdict: &Verdict, record: &RunRecord, weighed: &Weighed<'_>) -> (Judgement, Vec<String>) {
    let mut failed: Vec<String> = weighed.findings.iter().filter_map(|finding| finding.violation.clone()).collect();
    failed.extend(weighed.contradictions.iter().cloned());
    failed.extend(
        verdict
            .rpo
            .iter()
            .filter(|rpo| rpo.lost_records > 0)
            .map(|rpo| format!("{}: {} acknowledged records are in no log of the survivor", rpo.log, rpo.lost_records)),
    );
    if verdict.post_takeover_acks > 0 {
        failed.push(format!("{} acknowledgements under an older epoch after a newer one", verdict.post_takeover_acks));
    }
    if let (Some(took), Some(most)) = (verdict.takeover_seconds, weighed.takeover_most)
        && took > most
    {
        failed.push(format!("the takeover took {took:.3} s, more than the {most:.3} s that the lease allows"));
    }
    let unproved = unproved(verdict, record, weighed);
    match (failed.is_empty(), unproved.is_empty()) {
        (true, true) => (Judgement::Passed, Vec::new()),
        (true, false) => (Judgement::Inconclusive, unproved),
        (false, _) => (Judgement::Failed, [failed, unproved].concat()),
    }
}

// What the run has not shown.
fn unproved(verdict: &Verdict, record: &RunRecord, weighed: &Weighed<'_>) -> Vec<String> {
    let mut reasons = weighed.unknown.clone();
    let mut need = |shown: bool, reason: &dyn Fn() -> String| {
        if !shown {
            reasons.push(reason());
        }
    };
    need(record.phase >= Phase::Produced, &|| format!("the run has only come to {:?}", record.phase));
    need(record.dark.is_some(), &|| "no blackout was planned".to_owned());
    for fault in &verdict.faults {
        need(fault.fired, &|| format!("the fault {} at line {} did not fire", fault.kind, fault.at_line));
    }
    for finding in weighed.findings {
        need(finding.invariant.checked > 0, &|| format!("{} was never checked", finding.invariant.id));
    }
    need(verdict.takeover_seconds.is_some(), &|| "no takeover was completed".to_owned());
    need(verdict.rto_seconds.is_some(), &|| "the time to recover is not known".to_owned());
    need(weighed.rejoined, &|| "no return was completed".to_owned());
    need(weighed.away.is_empty(), &|| format!("not at home at the end: {}", weighed.away.join(", ")));
    need(weighed.copies > 0, &|| "no line became a Copy in the survivor".to_owned());
    need(weighed.survivor.is_some_and(|home| late(verdict, &home.region_id())), &|| {
        "no event was Late in the survivor".to_owned()
    });
    let tail: u64 = verdict.rpo.iter().map(|rpo| rpo.unreplicated_records).sum();
    need(tail >= record.turns.tail, &|| format!("a tail of {tail} records; {} were asked for", record.turns.tail));
    for home in Home::ALL {
        need(verdict.deliveries.contains_key(&home.region_id()), &|| format!("{} gave no status", home.region()));
    }
    reasons.extend(stale_refused::unproved(record.stale.as_ref()));
    reasons
}

fn late(verdict: &Verdict, survivor: &RegionId) -> bool {
    verdict.deliveries.get(survivor).is_some_and(|models| models.values().any(|counts| counts.late > 0))
}

//! Parts of the verdict that are written down and not judged.

use std::collections::BTreeMap;

use dcp_core::ids::{ProjectionId, RegionId};
use dcp_core::ports::DeliveryCounts;

use super::gathered::Gathered;
use super::history::Story;
use crate::drill::record::RunRecord;
use crate::verdict::{Fault, StepReport};

/// The faults: the first region's blackout, as it really happened, and the append that is held on it.
/// What was only planned has not fired.
pub(super) fn faults(record: &RunRecord) -> Vec<Fault> {
    let Some(planned) = record.dark else { return Vec::new() };
    let fault = |kind: &str, fired| Fault { kind: kind.to_owned(), at_line: record.turns.dark_at, fired };
    let happened = record.fault.as_ref().and_then(|fault| fault.happened);
    let held = record.fault.as_ref().is_some_and(|fault| fault.held.is_some());
    vec![fault(happened.unwrap_or(planned).name(), happened.is_some()), fault("held-append", held)]
}

/// What the projections said, by region.
pub(super) fn deliveries(record: &RunRecord) -> BTreeMap<RegionId, BTreeMap<ProjectionId, DeliveryCounts>> {
    let regions = record.last_status.iter();
    regions
        .filter_map(|(region, status)| Some((RegionId::new(region).ok()?, status.replay.deliveries.clone())))
        .collect()
}

/// Highest resident memory of each process, this one among them as `drill`.
pub(super) fn peak_memory(record: &RunRecord) -> BTreeMap<String, u64> {
    let mut peaks = record.peak_memory_mb.clone();
    let own = i32::try_from(std::process::id()).map_or(0, crate::memory::peak_memory_mb);
    let known = peaks.entry("drill".to_owned()).or_insert(0);
    *known = own.max(*known);
    peaks
}

/// The steps of all runs, in the order in which they were begun. An id names region, run and step.
pub(super) fn steps(story: &Story) -> Vec<StepReport> {
    let report = |fact: &super::history::StepFact| StepReport {
        id: format!("{}/{}/{}", fact.region.region(), fact.run, fact.step),
        phase: format!("{}/{}", fact.plan, fact.phase),
        seconds: fact.took().as_secs_f64(),
        outcome: fact.outcome.to_owned(),
    };
    story.steps.iter().map(report).collect()
}

/// Slices that another region than their home owns at the end.
pub(super) fn away(from: &Gathered) -> Vec<String> {
    let home = |slice: &dcp_core::ids::SliceRef| {
        crate::orders::Home::ALL.into_iter().find(|home| home.scope() == slice.scope.as_str())
    };
    let away = from.chains.iter().filter(|(slice, chain)| chain.last().map(|link| link.owner) != home(slice));
    away.map(|(slice, _)| slice.to_string()).collect()
}

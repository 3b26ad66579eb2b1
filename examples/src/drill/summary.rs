//! What a drill prints at its end.

use std::path::Path;

use dcp_core::Error;

use super::judge::Judged;
use super::options::DrillOptions;
use crate::verdict::{Judgement, Verdict};

/// Prints the verdict: as JSON if asked for, else as lines that a person reads.
///
/// # Errors
/// `Stopped` if the verdict cannot be written as JSON.
pub fn print(judged: &Judged, options: &DrillOptions, folder: &Path) -> Result<(), Error> {
    let verdict = &judged.verdict;
    if options.json {
        let text =
            serde_json::to_string_pretty(verdict).map_err(|cause| Error::stopped("unwritable", cause.to_string()))?;
        println!("{text}");
    } else {
        lines(verdict, folder);
    }
    for reason in &judged.reasons {
        eprintln!("reason: {reason}");
    }
    for note in &judged.notes {
        eprintln!("note: {note}");
    }
    Ok(())
}

fn lines(verdict: &Verdict, folder: &Path) {
    let word = match verdict.verdict {
        Judgement::Passed => "PASSED",
        Judgement::Failed => "FAILED",
        Judgement::Inconclusive => "INCONCLUSIVE",
    };
    let store = verdict.store.name();
    println!("verdict        {word} in {:.1} s, seed {}, {store} stores", verdict.seconds, verdict.seed);
    if let (Some(takeover), Some(rto)) = (verdict.takeover_seconds, verdict.rto_seconds) {
        println!("takeover       {takeover:.2} s after the last renewal seen (lease TTL {} s)", verdict.ttl_seconds);
        println!("RTO            {rto:.2} s from the fault to acknowledging again, all probes green");
    }
    let sum = |of: fn(&crate::verdict::Rpo) -> u64| verdict.rpo.iter().map(of).sum::<u64>();
    println!(
        "RPO            {} records not mirrored at the fault, {} declared, {} lost",
        sum(|rpo| rpo.unreplicated_records),
        sum(|rpo| rpo.declared_records),
        sum(|rpo| rpo.lost_records)
    );
    for stale in &verdict.stale_writes {
        println!(
            "stale writes   {}: {} attempted, {} refused ({} as stale), {} in doubt",
            stale.resource,
            stale.attempted,
            stale.refused,
            stale.refused_as_stale(),
            stale.in_doubt
        );
    }
    for pause in &verdict.write_pause_ms {
        println!("write pause    {}/{}: {:.0} ms", pause.scope, pause.slice, pause.ms);
    }
    for (region, models) in &verdict.deliveries {
        for (model, counts) in models {
            println!(
                "deliveries     {region} {model}: {} new, {} redelivered, {} copies, {} late, {} conflicts",
                counts.new, counts.redelivered, counts.copy, counts.late, counts.conflict
            );
        }
    }
    let held = verdict.invariants.iter().filter(|invariant| invariant.held).count();
    println!("invariants     {held} of {} held", verdict.invariants.len());
    for invariant in &verdict.invariants {
        let mark = if invariant.held { "held" } else { "BROKEN" };
        println!("  {:<4} {mark}, {} checks: {}", invariant.id, invariant.checked, invariant.statement);
    }
    println!("evidence       {}", folder.display());
}

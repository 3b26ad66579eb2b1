//! The takeover: who took what from whom, how long it took, and what it left behind.

use std::collections::BTreeMap;
use std::time::Duration;

use dcp_core::Error;
use dcp_core::ids::{RunId, SliceRef};
use dcp_core::log::LogId;
use dcp_core::ownership::Evidence;
use dcp_core::ports::Exposure;
use dcp_core::position::Cut;

use super::clock_offset::ClockOffset;
use super::gathered::{Derived, Gathered};
use super::history::changes;
use crate::drill::record::RunRecord;
use crate::foundation::lease_terms;
use crate::orders::Home;
use crate::verdict::Rpo;

// Beyond what the lease makes a survivor wait: to seal and to open.
const TO_ACT: Duration = Duration::from_secs(2);

/// Most seconds from the last renewal seen to slices sealed and open; none if the drill itself was
/// interrupted before the takeover was complete, which is then no time of the regions.
///
/// # Errors
/// `Invalid` for lease terms with which no run can have begun.
pub(super) fn most_seconds(record: &RunRecord) -> Result<Option<f64>, Error> {
    let most = lease_terms(record.ttl())?.challenge_wait() + TO_ACT;
    Ok(record.taken_over_in_one.then_some(most.as_secs_f64()))
}

/// What a takeover left behind.
#[derive(Debug, Default)]
pub(super) struct LeftBehind {
    pub(super) rpo: Vec<Rpo>,
    /// What is not known of it.
    pub(super) unknown: Vec<String>,
    /// Logs of which no bound was declared: a survivor that was restarted has seen no heartbeat.
    pub(super) undeclared: Vec<String>,
}

/// A blackout's change of owner.
#[derive(Debug, Clone)]
pub(super) struct Takeover {
    pub(super) run: RunId,
    pub(super) lost: Home,
    pub(super) survivor: Home,
    /// The slices with their new epochs.
    pub(super) slices: BTreeMap<SliceRef, u64>,
    /// How long the survivor had waited since it first saw the last renewal.
    waited: Duration,
}

impl Takeover {
    /// The first takeover after a lease that ran out; none if there was none.
    pub(super) fn find(from: &Gathered) -> Option<Self> {
        let mut runs: BTreeMap<RunId, Self> = BTreeMap::new();
        for (slice, before, after) in changes(&from.chains) {
            let (Evidence::LeaseRunOut { .. }, Some(run)) = (&after.evidence, &after.run) else { continue };
            let takeover = runs.entry(run.clone()).or_insert_with(|| Self {
                run: run.clone(),
                lost: before.owner,
                survivor: after.owner,
                slices: BTreeMap::new(),
                waited: Duration::ZERO,
            });
            takeover.slices.insert(slice.clone(), after.epoch);
            takeover.waited = takeover.waited.max(after.evidence.waited().unwrap_or_default());
        }
        let opened = |run: &RunId| from.story.done(run, "open-logs").map_or(u64::MAX, |fact| fact.ended_ns);
        runs.into_values().min_by_key(|takeover| opened(&takeover.run))
    }

    /// From the last renewal that the survivor saw to slices sealed and open.
    pub(super) fn seconds(&self, from: &Gathered) -> Option<f64> {
        let taken = from.story.done(&self.run, "take-ownership")?;
        let opened = from.story.done(&self.run, "open-logs")?;
        let acting = Duration::from_nanos(opened.ended_ns.saturating_sub(taken.intended_ns));
        Some((acting + self.waited).as_secs_f64())
    }

    /// From the fault to the later of the survivor's first acknowledgement and its probes green.
    pub(super) fn recovery_seconds(&self, from: &Gathered, fault_ns: u64, clocks: ClockOffset) -> Option<f64> {
        let taken = |ack: &&super::told::AckRow| {
            let entry = from.logs.entry(ack.log);
            let epoch = self.slices.get(&from.logs.slices()[entry.slice]);
            entry.home == self.lost && ack.by == self.survivor && epoch.is_some_and(|epoch| ack.epoch >= *epoch)
        };
        let answered = from.told.acks.iter().filter(taken).map(|ack| ack.at_ns).min()?;
        let green = clocks.monotonic(from.story.done(&self.run, "confirm-health")?.ended_ns);
        Some(Duration::from_nanos(answered.max(green).saturating_sub(fault_ns)).as_secs_f64())
    }

    /// What it left behind, by log that the lost region had owned; and what is not known of it.
    pub(super) fn exposure(&self, from: &Gathered, derived: &Derived) -> LeftBehind {
        let declared: BTreeMap<LogId, Exposure> = from
            .story
            .done(&self.run, "declare-exposure")
            .and_then(|fact| fact.facts.get("exposure").ok())
            .unwrap_or_default();
        let unreplicated = from
            .story
            .steps
            .iter()
            .find(|fact| fact.step == "classify" && fact.is_done() && fact.region == self.survivor)
            .and_then(|fact| fact.facts.get::<BTreeMap<LogId, u64>>("unreplicated").ok())
            .unwrap_or_default();
        let lost = self.lost_records(derived);
        let (mut rpo, mut unknown, mut undeclared) = (Vec::new(), Vec::new(), Vec::new());
        for (number, entry) in from.logs.iter().filter(|(_, entry)| entry.origin == self.lost) {
            if !self.slices.contains_key(&from.logs.slices()[entry.slice]) {
                continue;
            }
            let one = declared.get(&entry.id);
            let seconds = one.and_then(|one| one.declared_seconds);
            if seconds.is_none() {
                undeclared.push(format!("{}: no bound was declared", entry.id));
            }
            let missing = unreplicated.get(&entry.id).map(|tail| self.acknowledged_in_tail(from, number, *tail));
            if missing.is_none() {
                unknown.push(format!("{}: what was unreplicated is not known: it was not classified", entry.id));
            }
            rpo.push(Rpo {
                log: entry.id.clone(),
                unreplicated_records: missing.unwrap_or(0),
                declared_seconds: seconds,
                declared_records: one.map_or(0, |one| one.declared_records),
                lost_records: lost.get(&number).copied().unwrap_or(0),
            });
        }
        LeftBehind { rpo, unknown, undeclared }
    }

    // Of the tail that had not been mirrored, what the lost region had acknowledged: the rest was in
    // doubt, and nobody was promised it.
    fn acknowledged_in_tail(&self, from: &Gathered, log: usize, tail: u64) -> u64 {
        let ends = from.story.steps.iter().find(|fact| fact.step == "seal-returned" && fact.is_done());
        let ends: Option<Cut> = ends.and_then(|fact| fact.facts.get("ends").ok());
        let sealed =
            ends.and_then(|ends| ends.get(&from.logs.entry(log).id).map(|end| end.prefix.count)).unwrap_or(tail);
        let in_tail = |ack: &&super::told::AckRow| {
            ack.log == log && ack.by == self.lost && ack.rank <= sealed && ack.rank > sealed.saturating_sub(tail)
        };
        from.told.acks.iter().filter(in_tail).count() as u64
    }

    // Acknowledged records that no log of the survivor holds, by the log that was named.
    fn lost_records(&self, derived: &Derived) -> BTreeMap<usize, u64> {
        let mut lost = BTreeMap::new();
        let counts = derived.counts.get(&self.survivor);
        for ack in derived.places.iter().flatten() {
            if counts.is_none_or(|counts| counts.get(ack.line as usize).is_none_or(|count| *count == 0)) {
                *lost.entry(ack.log).or_insert(0) += 1;
            }
        }
        lost
    }
}

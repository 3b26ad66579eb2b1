//! The projector's state between calls: loaded from the model store, changed by batches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dcp_core::event::EventId;
use dcp_core::ports::{EventSource, ReplayStatus};
use dcp_core::{Error, Failure};

use super::lane::{Arrival, Lane};
use super::load::load_seat;
use super::seat::{Halt, Met, Seat};
use super::stopping;
use crate::logs::Logs;
use crate::model_store::{Changes, ModelRevision, ModelStore};
use crate::progress::lag;
use crate::projection::{Applied, Projection};
use crate::settings::ProjectorSettings;
use crate::sighted::Sighted;
use crate::telemetry;

/// What a call works with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) settings: &'a ProjectorSettings,
    pub(super) logs: &'a Logs,
    pub(super) source: &'a dyn EventSource,
    pub(super) models: &'a dyn ModelStore,
}

#[derive(Debug)]
pub(super) struct Engine {
    revision: ModelRevision,
    pub(super) seats: Vec<Seat>,
    lanes: Vec<Lane>,
}

impl Engine {
    /// Claims the model store and loads what is committed.
    pub(super) async fn load(parts: Parts<'_>, projections: &[Arc<dyn Projection>]) -> Result<Self, Failure> {
        let revision = parts.models.claim().await?;
        let mut seats = Vec::with_capacity(projections.len());
        for projection in projections {
            seats.push(load_seat(parts.models, parts.logs, Arc::clone(projection)).await.map_err(Failure::NotApplied)?);
        }
        let mut engine = Self { revision, seats, lanes: Vec::new() };
        engine.group();
        Ok(engine)
    }

    /// Puts projections that stand at the same positions into one lane.
    fn group(&mut self) {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (number, seat) in self.seats.iter().enumerate().filter(|(_, seat)| seat.halt.is_none()) {
            match groups.iter_mut().find(|group| self.seats[group[0]].positions == seat.positions) {
                Some(group) => group.push(number),
                None => groups.push(vec![number]),
            }
        }
        self.lanes =
            groups.into_iter().map(|seats| Lane::new(seats.clone(), &self.seats[seats[0]].positions)).collect();
    }

    /// Applies one batch in each lane. Answers how many events were met.
    pub(super) async fn step(&mut self, parts: Parts<'_>) -> Result<usize, Failure> {
        let ends = parts.source.ends(&parts.logs.ids).await.map_err(Failure::NotApplied)?;
        self.refuse_lost_positions(parts, &ends);
        let mut met = 0;
        for number in 0..self.lanes.len() {
            let lane = &mut self.lanes[number];
            let batch = parts.settings.batch_events;
            let arrivals = lane.read(parts.source, parts.logs, &ends, batch).await.map_err(Failure::NotApplied)?;
            if arrivals.is_empty() {
                continue;
            }
            met += arrivals.len();
            self.apply(parts, number, &arrivals).await?;
        }
        let halted = |lane: &Lane| lane.seats.iter().any(|seat| self.seats[*seat].halt.is_some());
        if self.lanes.iter().any(halted) || (met == 0 && self.lanes.len() > 1) {
            self.group();
        }
        Ok(met)
    }

    /// A position that the store no longer holds halts its projection: it is never taken for "no lag".
    fn refuse_lost_positions(&mut self, parts: Parts<'_>, ends: &dcp_core::position::Cut) {
        let mut refused = false;
        for seat in self.seats.iter_mut().filter(|seat| seat.halt.is_none()) {
            for (log, applied) in parts.logs.ids.iter().zip(&seat.positions) {
                let Some(end) = ends.get(log) else { continue };
                if let Err(error) = lag(log, applied.as_ref(), end) {
                    tracing::error!(event = telemetry::PROJECTION_REFUSED, projection = %seat.id, %error);
                    seat.halt = Some(Halt::Refused(error));
                    refused = true;
                    break;
                }
            }
        }
        if refused {
            self.group();
        }
    }

    async fn apply(&mut self, parts: Parts<'_>, lane: usize, arrivals: &[Arrival]) -> Result<(), Failure> {
        let mut wanted: BTreeMap<usize, BTreeSet<EventId>> = BTreeMap::new();
        for arrival in arrivals {
            wanted.entry(arrival.group).or_default().insert(arrival.placed.record.id);
        }
        let sighted = Sighted::look_up(parts.source, wanted, &parts.logs.groups).await.map_err(Failure::NotApplied)?;
        let mut changes = Changes::new();
        for number in self.lanes[lane].seats.clone() {
            let seat = &mut self.seats[number];
            apply_to(parts, seat, arrivals, &sighted).await.map_err(Failure::NotApplied)?;
            changes.append(&mut seat.take_changes(parts.logs).map_err(Failure::NotApplied)?);
        }
        self.commit(parts, changes).await
    }

    /// Commits what the seats have changed.
    pub(super) async fn commit(&mut self, parts: Parts<'_>, changes: Changes) -> Result<(), Failure> {
        self.revision = parts.models.commit(self.revision, changes).await?;
        for seat in &mut self.seats {
            seat.trim(parts.settings.cache_rows);
        }
        Ok(())
    }

    /// Lets a stopped projection try again at the event that stopped it.
    pub(super) async fn resume(&mut self, parts: Parts<'_>, number: usize) -> Result<(), Failure> {
        let seat = &mut self.seats[number];
        if seat.halt.take().is_some() {
            let changes = Changes::from([(seat.keys.stop(), None)]);
            self.commit(parts, changes).await?;
            self.group();
        }
        Ok(())
    }

    pub(super) fn status(&self, logs: &Logs) -> ReplayStatus {
        let mut status = ReplayStatus::new();
        for seat in &self.seats {
            let count = |applied: &Option<crate::progress::AppliedPosition>| applied.map_or(0, |applied| applied.count);
            let applied = logs.ids.iter().cloned().zip(seat.positions.iter().map(count)).collect();
            status.applied.insert(seat.id.clone(), applied);
            status.dirty.insert(seat.id.clone(), seat.dirty);
            status.deliveries.insert(seat.id.clone(), seat.counts);
            if let Some(halt) = &seat.halt {
                status.stopped.insert(seat.id.clone(), halt.reason());
            }
        }
        status
    }
}

/// Hands a batch to one projection, up to the event that stops it.
async fn apply_to(
    parts: Parts<'_>,
    seat: &mut Seat,
    arrivals: &[Arrival],
    sighted: &BTreeMap<usize, Sighted>,
) -> Result<(), Error> {
    for arrival in arrivals {
        let log = &parts.logs.ids[arrival.log];
        let record = &arrival.placed.record;
        let event = Applied { log, position: arrival.placed.position, record };
        let Some(sighted) = sighted.get(&arrival.group) else {
            return Err(Error::corrupt("missing-sightings", format!("{log}: ids of the batch were not looked up")));
        };
        let reason = match seat.meet(parts.models, parts.logs, arrival.log, &event, sighted.of(&record.id)).await? {
            Met::Next => continue,
            Met::Stop(evidence) => stopping::reason(parts, seat, arrival.log, *evidence).await?,
            Met::Unfoldable(error) => stopping::unfoldable(&event, &error),
        };
        tracing::error!(event = telemetry::PROJECTION_STOPPED, projection = %seat.id, %reason);
        return seat.stop(reason);
    }
    Ok(())
}

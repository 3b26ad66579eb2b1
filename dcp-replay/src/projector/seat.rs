//! One projection's state in memory: what is committed, and what the next commit will say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dcp_core::Error;
use dcp_core::event::StreamId;
use dcp_core::ids::{ProjectionId, ScopeId};
use dcp_core::log::LogId;
use dcp_core::ports::{DeliveryCounts, Sighting};
use dcp_core::position::Position;

use crate::decide::{judge, settle};
use crate::delivery::{Delivery, Evidence};
use crate::logs::Logs;
use crate::mark::Marks;
use crate::model::{Model, Rows, Space, encode};
use crate::model_store::{Changes, ModelStore};
use crate::progress::AppliedPosition;
use crate::projection::{Applied, LateRule, Projection};
use crate::row::{Keys, RowKey};

/// Why a projection does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Halt {
    /// An event stopped it, durably: an operator lets it try again.
    Stopped(String),
    /// Its positions do not fit the store that this process sees: a restart looks again.
    Refused(Error),
}

impl Halt {
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Stopped(reason) => reason.clone(),
            Self::Refused(error) => error.to_string(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Seat {
    pub(super) projection: Arc<dyn Projection>,
    pub(super) id: ProjectionId,
    pub(super) rule: LateRule,
    pub(super) keys: Keys,
    pub(super) positions: Vec<Option<AppliedPosition>>,
    pub(super) marks: Marks,
    pub(super) dirty: u64,
    pub(super) counts: DeliveryCounts,
    pub(super) halt: Option<Halt>,
    /// Rows in memory, with what is not committed yet.
    pub(super) rows: Rows,
    pub(super) changes: Changes,
    pub(super) changed_positions: BTreeSet<usize>,
    pub(super) changed_marks: BTreeMap<ScopeId, BTreeSet<StreamId>>,
    pub(super) changed_counts: bool,
}

/// What meeting one event came to.
#[derive(Debug)]
pub(super) enum Met {
    /// Go on with the next event.
    Next,
    /// The delivery stops the projection.
    Stop(Box<Evidence>),
    /// The projection could not apply the event.
    Unfoldable(Error),
}

impl Seat {
    /// Takes one event: says what it is, folds it if it is to be folded, and moves on.
    pub(super) async fn meet(
        &mut self,
        models: &dyn ModelStore,
        logs: &Logs,
        number: usize,
        event: &Applied<'_>,
        sightings: impl Iterator<Item = &Sighting> + Clone,
    ) -> Result<Met, Error> {
        let scope = event.log.scope();
        let stream = &event.record.stream;
        let mut mark = self.marks.get(scope).and_then(|marks| marks.get(stream)).cloned().unwrap_or_default();
        let delivery = judge(event, &mark, sightings, |log| self.applied(logs, log));
        if let Delivery::Conflict(evidence) | Delivery::AppliedAhead(evidence) = &delivery {
            delivery.count(&mut self.counts);
            self.changed_counts = true;
            return Ok(Met::Stop(evidence.clone()));
        }
        let was_dirty = mark.dirty;
        if settle(&mut mark, event, &delivery, self.rule)
            && let Err(error) = self.fold(models, event).await?
        {
            return Ok(Met::Unfoldable(error));
        }
        delivery.count(&mut self.counts);
        self.changed_counts = true;
        self.dirty += u64::from(mark.dirty && !was_dirty);
        if delivery != Delivery::Redelivered {
            self.changed_marks.entry(scope.clone()).or_default().insert(stream.clone());
            self.marks.entry(scope.clone()).or_default().insert(stream.clone(), mark);
        }
        self.positions[number] = Some(AppliedPosition::advanced(self.positions[number], event.position));
        self.changed_positions.insert(number);
        Ok(Met::Next)
    }

    /// How far a log is applied.
    pub(super) fn applied(&self, logs: &Logs, log: &LogId) -> Option<Position> {
        Some(self.positions[logs.number(log)?]?.position())
    }

    /// Folds one event, loading the rows that it asks for. The inner error is the projection's own.
    pub(super) async fn fold(
        &mut self,
        models: &dyn ModelStore,
        event: &Applied<'_>,
    ) -> Result<Result<(), Error>, Error> {
        loop {
            let space = match self.rule {
                LateRule::Commutes => Space::Shared,
                LateRule::RebuildStream => Space::Stream(event.log.scope(), &event.record.stream),
            };
            let mut model = Model::new(&self.keys, space, &self.rows);
            let result = self.projection.apply(&mut model, event);
            let folded = model.finish();
            if folded.missing.is_empty() {
                if result.is_err() {
                    return Ok(result);
                }
                for (key, value) in folded.written {
                    self.rows.insert(key.clone(), value.clone());
                    self.changes.insert(key, value);
                }
                return Ok(Ok(()));
            }
            // Each turn brings at least one more row into memory, and an event's rows are bounded.
            let missing: Vec<RowKey> = folded.missing.into_iter().collect();
            let values = models.read(&missing).await?;
            self.rows.extend(missing.into_iter().zip(values));
        }
    }

    /// Everything that the next commit says of this projection.
    pub(super) fn take_changes(&mut self, logs: &Logs) -> Result<Changes, Error> {
        let mut changes = std::mem::take(&mut self.changes);
        for number in std::mem::take(&mut self.changed_positions) {
            if let Some(position) = &self.positions[number] {
                changes.insert(self.keys.position(&logs.ids[number]), Some(encode(position)?));
            }
        }
        for (scope, streams) in std::mem::take(&mut self.changed_marks) {
            for stream in streams {
                if let Some(mark) = self.marks.get(&scope).and_then(|marks| marks.get(&stream)) {
                    changes.insert(self.keys.mark(&scope, &stream), Some(encode(mark)?));
                }
            }
        }
        if std::mem::take(&mut self.changed_counts) {
            changes.insert(self.keys.counts(), Some(encode(&self.counts)?));
        }
        Ok(changes)
    }

    /// Stops the projection durably.
    pub(super) fn stop(&mut self, reason: String) -> Result<(), Error> {
        self.changes.insert(self.keys.stop(), Some(encode(&reason)?));
        self.halt = Some(Halt::Stopped(reason));
        Ok(())
    }

    /// Lets go of cached rows above the bound. Nothing may be uncommitted.
    pub(super) fn trim(&mut self, rows: usize) {
        if self.rows.len() > rows {
            self.rows.clear();
        }
    }
}

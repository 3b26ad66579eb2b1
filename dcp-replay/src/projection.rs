//! What a user writes: a pure fold.

use std::fmt;

use dcp_core::Error;
use dcp_core::event::Record;
use dcp_core::ids::ProjectionId;
use dcp_core::log::LogId;
use dcp_core::position::Position;
use serde::{Deserialize, Serialize};

use crate::model::Model;

/// What a projection does with events that arrive out of the canonical order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LateRule {
    /// The fold gives the same rows in whatever order events arrive: late events are applied, copies
    /// are dropped. Rows may span streams.
    Commutes,
    /// The fold depends on the order within a stream: a late event marks its stream dirty, and the
    /// stream is folded again from its first event. Every row belongs to one stream: the fold sees
    /// the rows of its event's stream and no others, so that starting over is exact.
    RebuildStream,
}

/// One event as a projection is given it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Applied<'a> {
    /// The log that it was read from.
    pub log: &'a LogId,
    /// Its place there.
    pub position: Position,
    /// The event as its log holds it.
    pub record: &'a Record,
}

/// A pure fold of events into rows.
///
/// It holds no port through which anything could be sent: what it can do is read its event, and read
/// and write its own rows. Therefore replay is safe by type.
pub trait Projection: fmt::Debug + Send + Sync + 'static {
    /// Its name, and the name of the read model that it builds.
    fn id(&self) -> ProjectionId;

    /// What it does with events out of order. Fixed for the life of its read model.
    fn late_rule(&self) -> LateRule;

    /// Folds one event into the rows.
    ///
    /// Called again for the same event if a row was not in memory; what the first call wrote is
    /// dropped. So it must depend on nothing but its arguments.
    ///
    /// # Errors
    /// Whatever makes the event impossible to apply: the projection stops there, durably, and does
    /// not skip it. Errors of the model are handed on with `?`.
    fn apply(&self, model: &mut Model<'_>, event: &Applied<'_>) -> Result<(), Error>;
}

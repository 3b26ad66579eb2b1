//! What a projection says of an event, with the evidence for a stop.

use std::fmt;

use dcp_core::digest::Digest;
use dcp_core::event::{EventId, StreamId, Version};
use dcp_core::log::LogId;
use dcp_core::ownership::Epoch;
use dcp_core::ports::{DeliveryCounts, Sighting};
use dcp_core::position::Position;

use crate::projection::Applied;

/// One event at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Place {
    /// The log.
    pub log: LogId,
    /// Its place there.
    pub position: Position,
    /// The event.
    pub id: EventId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Its version.
    pub version: Version,
    /// Digest of its content.
    pub content: Digest,
}

impl Place {
    /// Where an event that arrives stands.
    #[must_use]
    pub fn of(event: &Applied<'_>) -> Self {
        Self {
            log: event.log.clone(),
            position: event.position,
            id: event.record.id,
            epoch: event.record.epoch,
            version: event.record.version,
            content: event.record.content_digest(),
        }
    }
}

impl From<&Sighting> for Place {
    fn from(sighting: &Sighting) -> Self {
        Self {
            log: sighting.log.clone(),
            position: sighting.position,
            id: sighting.id,
            epoch: sighting.epoch,
            version: sighting.version,
            content: sighting.content,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { log, position, id, epoch, version, content } = self;
        write!(f, "{log} position {position} (event {id}, epoch {epoch}, version {version}, content {content})")
    }
}

/// Why a projection stopped at an event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Evidence {
    /// The rule that the event breaks.
    pub rule: &'static str,
    /// Its stream.
    pub stream: StreamId,
    /// The event.
    pub arrived: Place,
    /// What it contradicts, where that is one event.
    pub held: Option<Place>,
    /// How far the stream of this origin had been applied.
    pub mark: Version,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, stream, arrived, held, mark } = self;
        write!(
            f,
            "{rule}: stream {stream:?}, applied up to version {mark}: arrived {arrived}",
            stream = stream.as_str()
        )?;
        match held {
            Some(held) => write!(f, "; held {held}"),
            None => write!(f, "; held: no such event in the store's index"),
        }
    }
}

/// What a projection says of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Delivery {
    /// The next of its stream, in order.
    New,
    /// Of an older epoch than one already applied to its stream.
    Late,
    /// At or below the mark, with the content that was applied: dropped.
    Redelivered,
    /// Already applied from another log of the scope, with equal content: dropped.
    Copy {
        /// Whether this one stands before every applied one in canonical order.
        canonical: bool,
    },
    /// Contradicts what was applied: the projection stops.
    Conflict(Box<Evidence>),
    /// After a gap, or in the model above its mark: the projection stops.
    AppliedAhead(Box<Evidence>),
}

impl Delivery {
    /// Counts it.
    pub fn count(&self, counts: &mut DeliveryCounts) {
        *match self {
            Self::New => &mut counts.new,
            Self::Late => &mut counts.late,
            Self::Redelivered => &mut counts.redelivered,
            Self::Copy { .. } => &mut counts.copy,
            Self::Conflict(_) => &mut counts.conflict,
            Self::AppliedAhead(_) => &mut counts.applied_ahead,
        } += 1;
    }
}

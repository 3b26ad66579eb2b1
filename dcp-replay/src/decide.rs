//! The verdict on one event: pure.

use std::cmp::Ordering;

use dcp_core::event::Version;
use dcp_core::log::LogId;
use dcp_core::ports::Sighting;
use dcp_core::position::Position;

use crate::delivery::{Delivery, Evidence, Place};
use crate::mark::{OriginMark, StreamMark};
use crate::projection::{Applied, LateRule};

#[cfg(test)]
mod tests;

/// Whether the event at this place is at or before what was applied of its log.
#[must_use]
pub(crate) fn is_applied(place: &Position, applied: Option<Position>) -> bool {
    applied.is_some_and(|applied| place.order(&applied).is_ok_and(Ordering::is_le))
}

/// What to say of an event.
///
/// `sightings` are the places where the local store holds the event's id in its scope and
/// partition; `applied` answers how far a log has been applied.
#[must_use]
pub(crate) fn judge<'a>(
    event: &Applied<'_>,
    mark: &StreamMark,
    sightings: impl Iterator<Item = &'a Sighting> + Clone,
    applied: impl Fn(&LogId) -> Option<Position>,
) -> Delivery {
    let record = event.record;
    let own = mark.origin(event.log.origin());
    let mut seen = sightings.filter(|sighting| is_applied(&sighting.position, applied(&sighting.log)));
    if record.version <= own.version {
        let same = seen.find(|sighting| sighting.log == *event.log && sighting.version == record.version);
        return match same {
            Some(held) if held.content == record.content_digest() => Delivery::Redelivered,
            held => conflict("another content under an applied version", event, own, held.map(Place::from)),
        };
    }
    if record.version != own.version.next() {
        return applied_ahead("versions are missing before it", event, own, None);
    }
    if record.epoch < own.epoch {
        return conflict("the epoch falls within one log", event, own, None);
    }
    if mark.partition.is_some_and(|partition| partition != event.log.partition()) {
        return conflict("the stream lives in another partition", event, own, None);
    }
    if let Some(held) = seen.clone().find(|sighting| sighting.log == *event.log) {
        return applied_ahead("its id is already applied from the same log", event, own, Some(Place::from(held)));
    }
    if let Some(held) = seen.clone().find(|sighting| sighting.content != record.content_digest()) {
        return conflict("another content under its id", event, own, Some(Place::from(held)));
    }
    let rank = (record.epoch, record.version);
    if let Some(lowest) = seen.map(|sighting| (sighting.epoch, sighting.version)).min() {
        return Delivery::Copy { canonical: rank < lowest };
    }
    let other_origin =
        mark.origins.iter().any(|(origin, other)| origin != event.log.origin() && other.epoch == record.epoch);
    if other_origin {
        return conflict("two origins wrote under one epoch", event, own, None);
    }
    if mark.highest.is_some_and(|highest| record.epoch < highest) { Delivery::Late } else { Delivery::New }
}

fn evidence(rule: &'static str, event: &Applied<'_>, own: OriginMark, held: Option<Place>) -> Box<Evidence> {
    let stream = event.record.stream.clone();
    Box::new(Evidence { rule, stream, arrived: Place::of(event), held, mark: own.version })
}

fn conflict(rule: &'static str, event: &Applied<'_>, own: OriginMark, held: Option<Place>) -> Delivery {
    Delivery::Conflict(evidence(rule, event, own, held))
}

fn applied_ahead(rule: &'static str, event: &Applied<'_>, own: OriginMark, held: Option<Place>) -> Delivery {
    Delivery::AppliedAhead(evidence(rule, event, own, held))
}

/// Brings the mark up to date with a delivery and answers whether to fold the event.
///
/// A dirty stream's events only advance its mark: the refold will fold them.
#[must_use]
pub(crate) fn settle(mark: &mut StreamMark, event: &Applied<'_>, delivery: &Delivery, rule: LateRule) -> bool {
    let rebuild = rule == LateRule::RebuildStream;
    match delivery {
        Delivery::Redelivered | Delivery::Conflict(_) | Delivery::AppliedAhead(_) => return false,
        Delivery::New => {}
        Delivery::Late => mark.dirty |= rebuild,
        Delivery::Copy { canonical } => mark.dirty |= rebuild && *canonical,
    }
    let (version, epoch) = (event.record.version, event.record.epoch);
    mark.partition = Some(event.log.partition());
    mark.origins.insert(event.log.origin().clone(), OriginMark { version, epoch });
    if matches!(delivery, Delivery::Copy { .. }) {
        return false;
    }
    mark.highest = mark.highest.max(Some(epoch));
    !mark.dirty
}

/// Whether this record is the canonical one among the applied places of its id.
#[must_use]
pub(crate) fn is_canonical<'a>(
    event: &Applied<'_>,
    sightings: impl Iterator<Item = &'a Sighting>,
    applied: impl Fn(&LogId) -> Option<Position>,
) -> bool {
    let rank: (_, Version) = (event.record.epoch, event.record.version);
    !sightings
        .filter(|sighting| sighting.log != *event.log && is_applied(&sighting.position, applied(&sighting.log)))
        .any(|sighting| (sighting.epoch, sighting.version) < rank)
}

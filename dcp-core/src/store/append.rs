//! What a batch writes, or why it is refused. Pure: every store decides with these functions.
//!
//! A store fetches what the decision needs ([`Held`]), decides, and writes the [`Decision`] in the
//! same transaction. The rank of a record is its number in its log, from 1.

pub(crate) mod bounds;
mod copy;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(crate) use bounds::{check_copy_batch, check_owner_batch};
pub(crate) use copy::decide_copy;

use crate::digest::Digest;
use crate::error::Error;
use crate::event::{EventId, NewEvent, Record, StreamId, Version};
use crate::log::LogId;
use crate::ownership::Epoch;
use crate::ports::event_store::{AppendAck, Sighting};
use crate::position::{LogIncarnation, Position, PrefixDigest};

/// What a store holds that bears on one batch.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// The batch's log.
    pub log: LogId,
    /// Its incarnation in this store.
    pub incarnation: LogIncarnation,
    /// Count and digest of all that it holds.
    pub prefix: PrefixDigest,
    /// Versions in this log of the batch's streams; a stream left out has none yet.
    pub versions: BTreeMap<StreamId, Version>,
    /// Where the batch's ids are held, over all logs of the scope's partition. Not needed for a
    /// copy, which looks no id up.
    pub sightings: Vec<Sighting>,
}

/// One record to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Its place.
    pub position: Position,
    /// The record.
    pub record: Record,
    /// Digest of its content.
    pub content: Digest,
    /// The log's prefix up to and including it.
    pub prefix: PrefixDigest,
}

impl Planned {
    /// Where the record will be held.
    pub(crate) fn sighting(&self, log: &LogId) -> Sighting {
        Sighting {
            id: self.record.id,
            log: log.clone(),
            position: self.position,
            epoch: self.record.epoch,
            version: self.record.version,
            content: self.content,
        }
    }
}

/// What a batch writes and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    /// One per event, in the batch's order; none for a copy.
    pub acks: Vec<AppendAck>,
    /// The records to write, in order.
    pub records: Vec<Planned>,
    /// Versions of the streams that grew.
    pub versions: BTreeMap<StreamId, Version>,
    /// The log's prefix after the batch.
    pub prefix: PrefixDigest,
}

/// Decides an owner's batch. Its bounds were checked before ([`check_owner_batch`]).
///
/// # Errors
/// `Invalid` for an id that is held with other content, `Conflict` for an expected version that is
/// not the stream's. Then nothing of the batch may be written.
pub(crate) fn decide_append(held: Held, epoch: Epoch, events: Vec<NewEvent>) -> Result<Decision, Error> {
    let mut known: BTreeMap<EventId, Sighting> = BTreeMap::new();
    for sighting in &held.sightings {
        let canonical = known.entry(sighting.id).or_insert_with(|| sighting.clone());
        if canonical_order(sighting) < canonical_order(canonical) {
            *canonical = sighting.clone();
        }
    }
    let mut growing = Growing::of(held);
    let mut acks = Vec::with_capacity(events.len());
    for event in events {
        let content = event.content_digest();
        if let Some(sighting) = known.get(&event.id) {
            growing.check_same(&event.id, &content, sighting)?;
            acks.push(ack(sighting, true));
            continue;
        }
        let planned = growing.grow(event, epoch, content)?;
        let sighting = planned.sighting(&growing.held.log);
        acks.push(ack(&sighting, false));
        known.insert(sighting.id, sighting);
    }
    Ok(growing.into_decision(acks))
}

// Of several copies of an event, the one lowest in (epoch, version) is canonical.
fn canonical_order(sighting: &Sighting) -> (Epoch, Version, &LogId) {
    (sighting.epoch, sighting.version, &sighting.log)
}

fn ack(sighting: &Sighting, existing: bool) -> AppendAck {
    AppendAck {
        id: sighting.id,
        log: sighting.log.clone(),
        position: sighting.position,
        epoch: sighting.epoch,
        version: sighting.version,
        existing,
    }
}

/// A log while a batch is laid behind it.
#[derive(Debug)]
struct Growing {
    held: Held,
    grown: BTreeMap<StreamId, Version>,
    records: Vec<Planned>,
    prefix: PrefixDigest,
}

impl Growing {
    fn of(held: Held) -> Self {
        let prefix = held.prefix;
        Self { held, grown: BTreeMap::new(), records: Vec::new(), prefix }
    }

    fn version(&self, stream: &StreamId) -> Version {
        self.grown.get(stream).or_else(|| self.held.versions.get(stream)).copied().unwrap_or(Version::NONE)
    }

    // Every sighting is compared and not the canonical one alone: two logs that hold one id with
    // different content contradict each other already.
    fn check_same(&self, id: &EventId, content: &Digest, canonical: &Sighting) -> Result<(), Error> {
        let held = self.held.sightings.iter().filter(|sighting| &sighting.id == id);
        match std::iter::once(canonical).chain(held).find(|sighting| &sighting.content != content) {
            None => Ok(()),
            Some(other) => Err(Error::invalid(
                "id-with-other-content",
                format!("event {id}: {} holds it at {} with other content", other.log, other.position),
            )),
        }
    }

    fn grow(&mut self, event: NewEvent, epoch: Epoch, content: Digest) -> Result<Planned, Error> {
        let version = self.version(&event.stream);
        if let Some(expected) = event.expected
            && expected != version
        {
            return Err(Error::conflict(
                "unexpected-version",
                format!(
                    "event {}: stream {} of {} is at version {version}, expected {expected}",
                    event.id, event.stream, self.held.log
                ),
            ));
        }
        Ok(self.lay(Record::of(event, epoch, version.next()), content))
    }

    fn lay(&mut self, record: Record, content: Digest) -> Planned {
        self.grown.insert(record.stream.clone(), record.version);
        self.prefix = self.prefix.then(&record.digest());
        let position = Position::from_store(self.held.incarnation, self.prefix.count);
        let planned = Planned { position, record, content, prefix: self.prefix };
        self.records.push(planned.clone());
        planned
    }

    fn into_decision(self, acks: Vec<AppendAck>) -> Decision {
        Decision { acks, records: self.records, versions: self.grown, prefix: self.prefix }
    }
}

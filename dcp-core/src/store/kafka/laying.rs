//! A group of batches laid behind a log, before anything of it is written. Pure.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::headers::check_names;
use super::index::Index;
use super::state::cursor_key;
use crate::error::Error;
use crate::event::{EventId, StreamId, Version};
use crate::log::LogId;
use crate::ownership::Epoch;
use crate::ports::event_store::{Appended, CopyBatch, Cursor, OwnerBatch, Sighting};
use crate::position::{LogIncarnation, PrefixDigest};
use crate::store::append::{Decision, Held, Planned, decide_append, decide_copy};
use crate::store::lanes::{ids_of, streams_of};
use crate::store::work::{Done, Work};

/// A log while a group is laid behind it.
#[derive(Debug)]
pub(super) struct Laid {
    log: LogId,
    incarnation: LogIncarnation,
    /// Largest record that the topic takes, in bytes.
    record_max: usize,
    decision: Decision,
    sightings: BTreeMap<EventId, Vec<Sighting>>,
    cursors: BTreeMap<String, Bytes>,
}

impl Laid {
    /// Behind what the index holds. `mirrors` are the other logs of the scope's partition.
    pub(super) fn behind<'a>(
        log: &LogId,
        index: &'a Index,
        mirrors: impl Iterator<Item = &'a Index>,
        group: &[Work],
        record_max: usize,
    ) -> Self {
        let ids: BTreeSet<EventId> = ids_of(group).collect();
        let mut sightings: BTreeMap<EventId, Vec<Sighting>> = BTreeMap::new();
        for index in std::iter::once(index).chain(mirrors) {
            for sighting in index.sightings(ids.iter()) {
                sightings.entry(sighting.id).or_default().push(sighting);
            }
        }
        let version = |stream: StreamId| index.version(&stream).map(|version| (stream, version));
        let versions: BTreeMap<StreamId, Version> = streams_of(group).into_iter().filter_map(version).collect();
        let decision = Decision { acks: Vec::new(), records: Vec::new(), versions, prefix: index.prefix() };
        let (log, incarnation, cursors) = (log.clone(), index.incarnation(), BTreeMap::new());
        Self { log, incarnation, record_max, decision, sightings, cursors }
    }

    /// Lays one batch, or says why nothing of it is written.
    ///
    /// # Errors
    /// As the decisions that all stores share; `Invalid` for a reserved header name or a record that
    /// the topic does not take.
    pub(super) fn lay(&mut self, epoch: Epoch, work: Work) -> Result<Done, Error> {
        match work {
            Work::Append(OwnerBatch { events, cursor, .. }) => {
                for event in &events {
                    check_names(event.id, &event.headers)?;
                }
                let ids = events.iter().map(|event| event.id).collect();
                let held = self.held(events.iter().map(|event| &event.stream), ids);
                let decision = decide_append(held, epoch, events)?;
                let acks = decision.acks.clone();
                let prefix = self.take(decision, cursor)?;
                Ok(Done::Appended(Appended { acks, prefix }))
            }
            Work::Copy(CopyBatch { after, records, cursor, .. }) => {
                for record in &records {
                    check_names(record.id, &record.headers)?;
                }
                let held = self.held(records.iter().map(|record| &record.stream), BTreeSet::new());
                let decision = decide_copy(held, after, records)?;
                Ok(Done::Copied(self.take(decision, cursor)?))
            }
        }
    }

    /// Whether there is anything to write.
    pub(super) fn writes(&self) -> bool {
        !self.decision.records.is_empty() || !self.cursors.is_empty()
    }

    /// All records of the group, and the log's prefix after them.
    pub(super) fn decision(&self) -> &Decision {
        &self.decision
    }

    /// State keys and values that are committed with them.
    pub(super) fn cursors(&self) -> &BTreeMap<String, Bytes> {
        &self.cursors
    }

    fn held<'a>(&self, streams: impl Iterator<Item = &'a StreamId>, ids: BTreeSet<EventId>) -> Held {
        let version = |stream: &StreamId| self.decision.versions.get(stream).map(|version| (stream.clone(), *version));
        Held {
            log: self.log.clone(),
            incarnation: self.incarnation,
            prefix: self.decision.prefix,
            versions: streams.filter_map(version).collect(),
            sightings: ids.iter().filter_map(|id| self.sightings.get(id)).flatten().cloned().collect(),
        }
    }

    fn take(&mut self, decision: Decision, cursor: Option<Cursor>) -> Result<PrefixDigest, Error> {
        if let Some(large) = decision.records.iter().find(|planned| weight(planned) > self.record_max) {
            let message = format!(
                "event {}: about {} bytes in the topic of {}, which takes {}: raise its max.message.bytes",
                large.record.id,
                weight(large),
                self.log,
                self.record_max
            );
            return Err(Error::invalid("record-too-large", message));
        }
        for planned in &decision.records {
            let sighting = planned.sighting(&self.log);
            self.sightings.entry(sighting.id).or_default().push(sighting);
        }
        self.decision.prefix = decision.prefix;
        self.decision.versions.extend(decision.versions);
        self.decision.records.extend(decision.records);
        self.cursors.extend(cursor.map(|cursor| (cursor_key(&cursor.name), cursor.value)));
        Ok(decision.prefix)
    }
}

/// Bytes of a record in a batch of its own, or a little more.
pub(super) fn weight(planned: &Planned) -> usize {
    const HEADERS_AND_BATCH: usize = 512;
    let record = &planned.record;
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + value.len() + 12).sum();
    let key = record.key.as_ref().map_or(0, Bytes::len);
    record.payload.len() + headers + key + record.stream.as_str().len() + record.event_type.len() + HEADERS_AND_BATCH
}

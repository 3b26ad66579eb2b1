//! The decision over a model of a log that does what is decided.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::{Decision, Held, decide_append, decide_copy};
use crate::error::{Error, ErrorKind};
use crate::event::{EventId, NewEvent, Record, StreamId, Version};
use crate::ids::{RegionId, ScopeId};
use crate::log::LogId;
use crate::ownership::Epoch;
use crate::ports::event_store::Sighting;
use crate::position::{LogIncarnation, PrefixDigest};

/// A log that holds every record that was decided.
#[derive(Debug, Clone, Default)]
struct Model {
    records: Vec<Record>,
    sightings: Vec<Sighting>,
}

fn log(origin: &str) -> LogId {
    LogId::new(ScopeId::new("orders").unwrap(), RegionId::new(origin).unwrap(), 0)
}

impl Model {
    fn prefix(&self) -> PrefixDigest {
        self.records.iter().fold(PrefixDigest::EMPTY, |prefix, record| prefix.then(&record.digest()))
    }

    fn held(&self, log: LogId, elsewhere: &[Sighting]) -> Held {
        let mut versions = BTreeMap::new();
        for record in &self.records {
            versions.insert(record.stream.clone(), record.version);
        }
        let sightings = self.sightings.iter().chain(elsewhere).cloned().collect();
        let incarnation = LogIncarnation::from_bytes([7; 16]);
        Held { log, incarnation, prefix: self.prefix(), versions, sightings }
    }

    fn write(&mut self, log: &LogId, decision: &Decision) {
        for planned in &decision.records {
            self.sightings.push(planned.sighting(log));
            self.records.push(planned.record.clone());
        }
    }

    fn append(&mut self, events: Vec<NewEvent>) -> Result<Decision, Error> {
        self.append_beside(&[], events)
    }

    fn append_beside(&mut self, elsewhere: &[Sighting], events: Vec<NewEvent>) -> Result<Decision, Error> {
        let decision = decide_append(self.held(log("west"), elsewhere), Epoch::GENESIS, events)?;
        self.write(&log("west"), &decision);
        Ok(decision)
    }
}

// Few ids, streams and contents, so that repetitions and contradictions are common.
fn events() -> impl Strategy<Value = Vec<NewEvent>> {
    let event = (0_u8..12, 0_u8..10, proptest::option::weighted(0.2, 0_u64..4)).prop_map(|(id, other, expected)| {
        let stream = StreamId::new(format!("stream-{}", id % 3));
        let payload = if other == 0 { "other content" } else { "content" };
        let event =
            NewEvent::new(EventId::from_bytes([id; 16]), stream, "kind", Bytes::from_static(payload.as_bytes()));
        match expected {
            Some(version) => event.expecting(Version::new(version)),
            None => event,
        }
    });
    proptest::collection::vec(event, 0..8)
}

proptest! {
    #[test]
    fn versions_have_no_gaps_and_prefixes_are_recomputed(batches in proptest::collection::vec(events(), 1..8)) {
        let mut model = Model::default();
        for batch in batches {
            let before = model.clone();
            let length = batch.len();
            match model.append(batch) {
                Ok(decision) => {
                    prop_assert_eq!(decision.acks.len(), length);
                    let new = decision.acks.iter().filter(|ack| !ack.existing).count();
                    prop_assert_eq!(new, decision.records.len());
                    prop_assert_eq!(decision.prefix, model.prefix());
                    for planned in &decision.records {
                        prop_assert_eq!(planned.position.rank(), planned.prefix.count);
                        prop_assert_eq!(planned.content, planned.record.content_digest());
                        prop_assert_eq!(decision.versions.contains_key(&planned.record.stream), true);
                    }
                }
                Err(error) => {
                    prop_assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict));
                    prop_assert_eq!(model.prefix(), before.prefix());
                }
            }
        }
        let mut versions: BTreeMap<StreamId, u64> = BTreeMap::new();
        for record in &model.records {
            let last = versions.entry(record.stream.clone()).or_default();
            *last += 1;
            prop_assert_eq!(record.version.get(), *last);
        }
        let mut ids: Vec<_> = model.records.iter().map(|record| record.id).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), model.records.len());
    }

    #[test]
    fn the_same_batch_again_writes_nothing_and_is_answered_alike(batches in proptest::collection::vec(events(), 1..6)) {
        let mut model = Model::default();
        for batch in batches {
            let Ok(first) = model.append(batch.clone()) else { continue };
            let before = model.prefix();
            let again = model.append(batch);
            let again = again.map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert!(again.records.is_empty());
            prop_assert_eq!(model.prefix(), before);
            for (first, again) in first.acks.iter().zip(&again.acks) {
                prop_assert!(again.existing);
                prop_assert_eq!((first.position, first.version, &first.log), (again.position, again.version, &again.log));
            }
        }
    }

    #[test]
    fn a_copy_of_a_log_is_equal_however_it_is_cut(batches in proptest::collection::vec(events(), 1..8), cut in 1_usize..5) {
        let mut source = Model::default();
        for batch in batches {
            // A refused batch is not in the source; what is, is copied.
            let _ = source.append(batch);
        }
        let mut mirror = Model::default();
        for part in source.records.chunks(cut) {
            let held = mirror.held(log("west"), &[]);
            let decision = decide_copy(held, mirror.prefix(), part.to_vec());
            let decision = decision.map_err(|error| TestCaseError::fail(error.to_string()))?;
            mirror.write(&log("west"), &decision);
        }
        prop_assert_eq!(&mirror.records, &source.records);
        prop_assert_eq!(mirror.prefix(), source.prefix());
    }
}

fn event(id: u8, content: &'static str) -> NewEvent {
    NewEvent::new(
        EventId::from_bytes([id; 16]),
        StreamId::new("stream"),
        "kind",
        Bytes::from_static(content.as_bytes()),
    )
}

#[test]
fn an_id_of_another_log_is_answered_with_the_canonical_copy() {
    let mut east = Model::default();
    let held = east.held(log("east"), &[]);
    let later = decide_append(held, Epoch::new(2), vec![event(9, "x"), event(1, "a")]).unwrap();
    east.write(&log("east"), &later);
    let mut west = Model::default();
    let first = west.append_beside(&east.sightings, vec![event(1, "a")]).unwrap();
    assert_eq!((first.acks[0].existing, &first.acks[0].log), (true, &log("east")));
    // A copy in the own log, of an older epoch, is the canonical one.
    west.append(vec![event(1, "a")]).unwrap();
    let again = west.append_beside(&east.sightings, vec![event(1, "a")]).unwrap();
    assert_eq!(again.acks[0].log, log("west"));
}

#[test]
fn other_content_in_any_log_refuses_the_batch() {
    let mut east = Model::default();
    let held = east.held(log("east"), &[]);
    east.write(&log("east"), &decide_append(held, Epoch::new(2), vec![event(1, "b")]).unwrap());
    let mut west = Model::default();
    west.append(vec![event(1, "a")]).unwrap();
    let error = west.append_beside(&east.sightings, vec![event(2, "a"), event(1, "a")]).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "id-with-other-content"));
}

#[test]
fn a_gap_stops_a_copy() {
    let mut source = Model::default();
    source.append(vec![event(1, "a"), event(2, "a")]).unwrap();
    let mirror = Model::default();
    let skipped = decide_copy(mirror.held(log("west"), &[]), PrefixDigest::EMPTY, source.records[1..].to_vec());
    assert_eq!(skipped.unwrap_err().code(), "version-gap");
}

use super::*;

use bytes::Bytes;
use dcp_core::event::{EventId, NewEvent, Record, StreamId};
use dcp_core::ids::RegionId;
use dcp_core::ownership::Epoch;
use dcp_core::position::LogIncarnation;

fn record(id: u8, epoch: u64, version: u64, payload: &'static str) -> Record {
    let event = NewEvent::new(EventId::from_bytes([id; 16]), StreamId::new("a"), "line", Bytes::from(payload));
    Record::of(event, Epoch::new(epoch), Version::new(version))
}

fn place(rank: u64) -> Position {
    Position::from_store(LogIncarnation::from_bytes([1; 16]), rank)
}

fn log(origin: &str) -> LogId {
    format!("orders@{origin}/0").parse().unwrap()
}

fn sighting(origin: &str, rank: u64, record: &Record) -> Sighting {
    let Record { id, epoch, version, .. } = *record;
    Sighting { id, log: log(origin), position: place(rank), epoch, version, content: record.content_digest() }
}

fn mark(origins: &[(&str, u64, u64)]) -> StreamMark {
    let mut mark = StreamMark { partition: Some(0), ..StreamMark::default() };
    for (origin, epoch, version) in origins {
        let at = OriginMark { version: Version::new(*version), epoch: Epoch::new(*epoch) };
        mark.highest = mark.highest.max(Some(at.epoch));
        mark.origins.insert(RegionId::new(origin).unwrap(), at);
    }
    mark
}

/// The verdict on a record of W at rank 50, with every log applied up to rank 40.
fn verdict(record: &Record, mark: &StreamMark, sightings: &[Sighting]) -> Delivery {
    let log = log("w");
    let event = Applied { log: &log, position: place(50), record };
    judge(&event, mark, sightings.iter(), |_| Some(place(40)))
}

#[test]
fn order_and_epoch_decide_between_new_and_late() {
    assert_eq!(verdict(&record(1, 1, 1, "x"), &mark(&[]), &[]), Delivery::New);
    assert_eq!(verdict(&record(1, 3, 2, "x"), &mark(&[("w", 1, 1), ("c", 2, 7)]), &[]), Delivery::New);
    assert_eq!(verdict(&record(1, 1, 2, "x"), &mark(&[("w", 1, 1), ("c", 2, 7)]), &[]), Delivery::Late);
}

#[test]
fn only_what_is_applied_makes_a_copy() {
    let mine = record(1, 1, 2, "x");
    let theirs = record(1, 2, 1, "x");
    let mark = mark(&[("w", 1, 1), ("c", 2, 1)]);
    let own = sighting("w", 50, &mine);
    let applied = [own.clone(), sighting("c", 40, &theirs)];
    assert_eq!(verdict(&mine, &mark, &applied), Delivery::Copy { canonical: true });
    let ahead = [own, sighting("c", 41, &theirs)];
    assert_eq!(verdict(&mine, &mark, &ahead), Delivery::Late);
    let lower = [sighting("c", 40, &record(1, 0, 1, "x"))];
    assert_eq!(verdict(&mine, &mark, &lower), Delivery::Copy { canonical: false });
}

#[test]
fn at_or_below_the_mark_only_the_same_record_is_a_redelivery() {
    let held = record(1, 1, 2, "x");
    let mark = mark(&[("w", 1, 3)]);
    assert_eq!(verdict(&held, &mark, &[sighting("w", 20, &held)]), Delivery::Redelivered);
    let not_yet_applied = [sighting("w", 50, &held)];
    assert!(matches!(verdict(&held, &mark, &not_yet_applied), Delivery::Conflict(_)));
    let other_content = [sighting("w", 20, &record(1, 1, 2, "y"))];
    let Delivery::Conflict(evidence) = verdict(&held, &mark, &other_content) else { panic!("no conflict") };
    assert_eq!(evidence.held.map(|held| held.content), Some(other_content[0].content));
    assert_eq!(evidence.arrived.content, held.content_digest());
}

#[test]
fn contradictions_stop() {
    let two_owners = verdict(&record(1, 1, 2, "x"), &mark(&[("w", 1, 1), ("c", 1, 1)]), &[]);
    assert!(matches!(two_owners, Delivery::Conflict(evidence) if evidence.rule.contains("one epoch")));
    let falling = verdict(&record(1, 1, 2, "x"), &mark(&[("w", 3, 1)]), &[]);
    assert!(matches!(falling, Delivery::Conflict(evidence) if evidence.rule.contains("falls")));
    let moved = StreamMark { partition: Some(4), ..mark(&[("w", 1, 1)]) };
    let moved = verdict(&record(1, 1, 2, "x"), &moved, &[]);
    assert!(matches!(moved, Delivery::Conflict(evidence) if evidence.rule.contains("partition")));
    let gap = verdict(&record(1, 1, 3, "x"), &mark(&[("w", 1, 1)]), &[]);
    assert!(matches!(gap, Delivery::AppliedAhead(evidence) if evidence.mark == Version::new(1)));
    let same_log = [sighting("w", 20, &record(1, 1, 1, "x"))];
    let leak = verdict(&record(1, 1, 2, "x"), &mark(&[("w", 1, 1)]), &same_log);
    assert!(matches!(leak, Delivery::AppliedAhead(evidence) if evidence.held.is_some()));
    let other = [sighting("c", 20, &record(1, 2, 1, "y"))];
    let content = verdict(&record(1, 1, 2, "x"), &mark(&[("w", 1, 1), ("c", 2, 1)]), &other);
    assert!(matches!(content, Delivery::Conflict(evidence) if evidence.held.is_some()));
}

#[test]
fn a_dirty_streams_events_only_advance_its_mark() {
    let log = log("w");
    let late = record(1, 1, 2, "x");
    let event = Applied { log: &log, position: place(50), record: &late };
    let start = mark(&[("w", 1, 1), ("c", 2, 7)]);
    let mut commuting = start.clone();
    assert!(settle(&mut commuting, &event, &Delivery::Late, LateRule::Commutes));
    assert!(!commuting.dirty);
    let mut rebuilding = start;
    assert!(!settle(&mut rebuilding, &event, &Delivery::Late, LateRule::RebuildStream));
    assert!(rebuilding.dirty && rebuilding.highest == Some(Epoch::new(2)));
    let next = record(2, 3, 3, "y");
    let event = Applied { log: &log, position: place(51), record: &next };
    assert!(!settle(&mut rebuilding, &event, &Delivery::New, LateRule::RebuildStream));
    assert_eq!(rebuilding.origin(log.origin()), OriginMark { version: Version::new(3), epoch: Epoch::new(3) });
    assert_eq!(rebuilding.highest, Some(Epoch::new(3)));
}

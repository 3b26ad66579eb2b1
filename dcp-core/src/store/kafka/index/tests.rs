use super::*;
use crate::event::Record;
use crate::kafka::batch;
use crate::store::append::Planned;
use crate::store::kafka::headers::to_kafka;

fn log() -> LogId {
    "orders@west/1".parse().unwrap()
}

fn incarnation() -> LogIncarnation {
    LogIncarnation::from_bytes([7; 16])
}

fn empty() -> Index {
    Index::new(log(), incarnation(), 0, 100)
}

// Records of one stream, from this rank on, behind what an index holds.
fn planned(index: &Index, count: u64) -> Decision {
    let mut prefix = index.prefix();
    let records = (1..=count).map(|_| {
        let number = prefix.count + 1;
        let record = Record {
            id: EventId::from_bytes([u8::try_from(number).unwrap(); 16]),
            stream: StreamId::new("stream"),
            version: Version::new(number),
            epoch: Epoch::new(1),
            event_type: "counted".into(),
            key: None,
            payload: "{}".into(),
            headers: Vec::new(),
        };
        prefix = prefix.then(&record.digest());
        let content = record.content_digest();
        Planned { position: Position::from_store(incarnation(), number), record, content, prefix }
    });
    let records: Vec<_> = records.collect();
    Decision { acks: Vec::new(), records, versions: BTreeMap::new(), prefix }
}

fn page(decision: &Decision, base: i64, until: usize, next: i64, epoch: i32) -> Page {
    let at = |(offset, planned): (i64, &Planned)| batch::Record { offset, ..to_kafka(planned, 0) };
    Page { records: (base..).zip(&decision.records[..until]).map(at).collect(), next, leader_epoch: Some(epoch) }
}

#[test]
fn what_was_landed_names_no_older_leader() {
    let mut index = empty();
    let first = planned(&index, 2);
    index.fold(&page(&first, 0, 2, 3, 5)).unwrap();
    assert_eq!((index.next(), index.leader_epoch()), (3, Some(5)));
    let second = planned(&index, 2);
    index.land(&second, 3);
    assert_eq!((index.next(), index.expected_offset(), index.leader_epoch()), (5, 6, None));
    // The marker, under the next leader.
    index.fold(&Page { records: Vec::new(), next: 6, leader_epoch: Some(6) }).unwrap();
    assert_eq!((index.expected_offset(), index.leader_epoch()), (6, Some(6)));
}

#[test]
fn a_fold_that_was_faster_in_part_is_not_counted_twice() {
    let mut index = empty();
    let group = planned(&index, 4);
    index.fold(&page(&group, 0, 2, 2, 5)).unwrap();
    index.land(&group, 0);
    assert_eq!((index.next(), index.expected_offset(), index.prefix()), (4, 5, group.prefix));
    assert_eq!(index.order.len(), 4);
}

#[test]
fn a_fold_that_ends_before_the_marker_leaves_it_due() {
    let mut index = empty();
    let group = planned(&index, 2);
    index.fold(&page(&group, 0, 2, 2, 5)).unwrap();
    index.land(&group, 0);
    assert_eq!((index.next(), index.expected_offset()), (2, 3));
    // And one that came past it does not.
    let mut index = empty();
    index.fold(&page(&group, 0, 2, 3, 5)).unwrap();
    index.land(&group, 0);
    assert_eq!((index.next(), index.expected_offset()), (3, 3));
}

#[test]
fn a_page_that_breaks_off_names_no_leader() {
    let mut index = empty();
    let first = planned(&index, 1);
    index.fold(&page(&first, 0, 1, 2, 5)).unwrap();
    let mut broken = page(&planned(&index, 3), 2, 3, 6, 6);
    broken.records.remove(1);
    assert_eq!(index.fold(&broken).unwrap_err().code(), "broken-chain");
    assert_eq!((index.next(), index.leader_epoch()), (3, None));
}

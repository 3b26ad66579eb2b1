use proptest::prelude::*;

use super::super::{page, state, stored};
use super::*;
use crate::kafka::AbortedTransaction;

fn key(value: &str) -> Record {
    state::record("key", Bytes::copy_from_slice(value.as_bytes()), 0)
}

fn other() -> Record {
    state::record("other", Bytes::from_static(b"x"), 0)
}

fn tail(parts: &[Bytes]) -> Tail {
    let mut tail = Tail::new("key", 10, Some("old".into()));
    tail.fold(parts.concat().into()).unwrap();
    tail
}

fn says(tail: &Tail) -> (&str, Option<i64>, i64) {
    (std::str::from_utf8(tail.value().unwrap()).unwrap(), tail.undecided_before(100), tail.next())
}

#[test]
fn what_others_leave_open_is_nobody_elses_matter() {
    let parts = [
        stored::records(10, 1, &[other()]),
        stored::records(11, 2, &[other(), key("a"), key("b")]),
        stored::marker(14, 2, Marker::Commit),
    ];
    assert_eq!(says(&tail(&parts[..1])), ("old", None, 11));
    assert_eq!(says(&tail(&parts[..2])), ("old", Some(12), 14));
    assert_eq!(tail(&parts).undecided_before(12), None);
    assert_eq!(says(&tail(&parts)), ("b", None, 15));
}

#[test]
fn an_abort_leaves_what_was_and_a_removal_is_a_value() {
    let aborted = [stored::records(10, 2, &[key("a")]), stored::marker(11, 2, Marker::Abort)];
    assert_eq!(says(&tail(&aborted)), ("old", None, 12));
    let removed = tail(&[stored::records(10, -1, &[Record { value: None, ..key("") }])]);
    assert_eq!((removed.value(), removed.next()), (None, 11));
}

#[test]
fn what_lies_before_it_counts_no_more() {
    let parts = [stored::records(8, -1, &[key("a"), key("b"), other()]), stored::records(11, -1, &[other()])];
    assert_eq!(says(&tail(&parts)), ("old", None, 12));
}

/// A log of some producers' batches and markers, and of aborts at the end for what is open then.
#[derive(Default)]
struct Written {
    parts: Vec<Bytes>,
    aborted: Vec<AbortedTransaction>,
    /// First offset of each open transaction, and whether it wrote the key.
    open: BTreeMap<i64, (i64, bool)>,
}

impl Written {
    fn step(&mut self, producer_id: i64, step: u8) {
        let offset = 10 + i64::try_from(self.parts.len()).unwrap();
        let part = match (step, self.open.contains_key(&producer_id)) {
            (0, true) => self.end(offset, producer_id, Marker::Abort),
            (1, true) => self.end(offset, producer_id, Marker::Commit),
            _ => {
                let ours = step.is_multiple_of(2);
                self.open.entry(producer_id).or_insert((offset, false)).1 |= ours;
                let record = if ours { key(&offset.to_string()) } else { other() };
                stored::records(offset, producer_id, &[record])
            }
        };
        self.parts.push(part);
    }

    fn end(&mut self, offset: i64, producer_id: i64, kind: Marker) -> Bytes {
        let (first_offset, _) = self.open.remove(&producer_id).unwrap();
        self.aborted.extend((kind == Marker::Abort).then_some(AbortedTransaction { producer_id, first_offset }));
        stored::marker(offset, producer_id, kind)
    }
}

proptest! {
    #[test]
    fn it_says_what_a_read_says_once_all_is_decided(
        steps in prop::collection::vec((0_i64..3, 0_u8..6), 0..40),
        cut in 0_usize..40,
    ) {
        let mut written = Written::default();
        steps.iter().for_each(|(producer, step)| written.step(*producer, *step));
        let mut tail = tail(&written.parts[..cut.min(written.parts.len())]);
        tail.fold(written.parts.concat().into()).unwrap();
        let undecided = written.open.values().any(|(_, wrote)| *wrote);
        prop_assert_eq!(tail.undecided_before(i64::MAX).is_some(), undecided);
        let before = tail.value().cloned();
        for producer in written.open.clone().into_keys() {
            written.step(producer, 0);
        }
        tail.fold(written.parts.concat().into()).unwrap();
        let page = page::read(written.parts.concat().into(), &written.aborted, 10).unwrap();
        let last = page.records.into_iter().rfind(|record| record.key.as_deref() == Some(&b"key"[..]));
        let expected = last.map_or(Some("old".into()), |record| record.value);
        prop_assert_eq!(tail.value().cloned(), expected.clone());
        // Aborts change nothing: it was known before them.
        prop_assert_eq!(before, expected);
    }
}

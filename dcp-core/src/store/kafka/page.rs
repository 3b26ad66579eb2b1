//! What a fetch up to the last stable offset really holds: the records of committed transactions. Pure.
//!
//! Brokers answer batches of aborted transactions too, and a list of them: producer and first offset. A
//! producer's batches from that offset on are dropped, until its marker. Each answer's list covers all
//! that the answer holds, so that nothing is carried from one fetch to the next.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::error::Error;
use crate::kafka::AbortedTransaction;
use crate::kafka::batch::{self, Batch, Record};

/// One answer, decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// Records that count, in order, from the offset that was asked for.
    pub(super) records: Vec<Record>,
    /// Offset after the last batch; where the next fetch begins.
    pub(super) next: i64,
    /// Leader epoch of the last batch.
    pub(super) leader_epoch: Option<i32>,
}

/// Decides one answer to a fetch from `from`.
///
/// # Errors
/// As reading a batch.
pub(super) fn read(bytes: Bytes, aborted: &[AbortedTransaction], from: i64) -> Result<Page, Error> {
    let mut page = Page { records: Vec::new(), next: from, leader_epoch: None };
    let mut coming: Vec<_> = aborted.iter().map(|one| (one.first_offset, one.producer_id)).collect();
    coming.sort_unstable();
    let (mut coming, mut dropped) = (coming.into_iter().peekable(), BTreeSet::new());
    for batch in batch::iter(bytes) {
        let batch = batch?;
        while let Some((_, producer)) = coming.next_if(|(first, _)| *first <= batch.last_offset) {
            dropped.insert(producer);
        }
        if batch.control {
            if batch.marker()?.is_some() {
                dropped.remove(&batch.producer.producer_id);
            }
        } else if !(batch.transactional && dropped.contains(&batch.producer.producer_id)) {
            page.records.extend(from_on(&batch, from)?);
        }
        if batch.last_offset >= from {
            page.next = batch.last_offset + 1;
            page.leader_epoch = (batch.leader_epoch >= 0).then_some(batch.leader_epoch);
        }
    }
    Ok(page)
}

// The first batch may begin before the offset that was asked for.
fn from_on(batch: &Batch, from: i64) -> Result<impl Iterator<Item = Record>, Error> {
    let records = if batch.last_offset < from { Vec::new() } else { batch.records()? };
    Ok(records.into_iter().filter(move |record| record.offset >= from))
}

#[cfg(test)]
mod tests {
    use super::super::stored;
    use super::*;
    use crate::kafka::batch::Marker;

    fn record(text: &str) -> Record {
        Record {
            offset: 0,
            timestamp: 0,
            key: None,
            value: Some(Bytes::copy_from_slice(text.as_bytes())),
            headers: vec![],
        }
    }

    fn stored(offset: i64, producer_id: i64, texts: &[&str], marker: Option<u8>) -> Bytes {
        match marker {
            None => stored::records(offset, producer_id, &texts.iter().map(|text| record(text)).collect::<Vec<_>>()),
            Some(0) => stored::marker(offset, producer_id, Marker::Abort),
            Some(_) => stored::marker(offset, producer_id, Marker::Commit),
        }
    }

    fn texts(page: &Page) -> Vec<&str> {
        page.records.iter().map(|one| std::str::from_utf8(one.value.as_ref().unwrap()).unwrap()).collect()
    }

    fn all() -> Bytes {
        let parts = [
            stored(10, 1, &["a", "b"], None),
            stored(12, 2, &["dropped"], None),
            stored(13, 1, &["c"], None),
            stored(14, 2, &[], Some(0)),
            stored(15, 1, &[], Some(1)),
            stored(16, 2, &["d"], None),
            stored(17, -1, &["plain"], None),
            stored(18, 2, &[], Some(1)),
        ];
        parts.concat().into()
    }

    #[test]
    fn only_what_was_committed_counts() {
        let aborted = [AbortedTransaction { producer_id: 2, first_offset: 12 }];
        let page = read(all(), &aborted, 10).unwrap();
        assert_eq!(texts(&page), ["a", "b", "c", "d", "plain"]);
        assert_eq!((page.next, page.leader_epoch), (19, Some(3)));
        assert_eq!(page.records.iter().map(|one| one.offset).collect::<Vec<_>>(), [10, 11, 13, 16, 17]);
    }

    #[test]
    fn a_fetch_that_begins_within_a_batch_or_a_transaction_answers_alike() {
        let aborted = [AbortedTransaction { producer_id: 2, first_offset: 12 }];
        assert_eq!(texts(&read(all(), &aborted, 11).unwrap()), ["b", "c", "d", "plain"]);
        let rest = all().slice(stored(10, 1, &["a", "b"], None).len() + stored(12, 2, &["dropped"], None).len()..);
        assert_eq!(texts(&read(rest, &aborted, 13).unwrap()), ["c", "d", "plain"]);
        assert_eq!(read(Bytes::new(), &[], 13).unwrap(), Page { records: vec![], next: 13, leader_epoch: None });
    }

    #[test]
    fn an_abort_later_in_the_answer_drops_nothing_before_it() {
        let parts = [stored(0, 1, &["kept"], None), stored(1, 1, &[], Some(1)), stored(2, 1, &["dropped"], None)];
        let aborted = [AbortedTransaction { producer_id: 1, first_offset: 2 }];
        assert_eq!(texts(&read(parts.concat().into(), &aborted, 0).unwrap()), ["kept"]);
    }
}

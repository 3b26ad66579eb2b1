//! How much of a log one answer takes. Pure.

use crate::remote::wire::{READ_MAX_BYTES, READ_MAX_RECORDS};

/// Records of the first look, before anything is known of their size.
const FIRST: usize = 64;

/// An answer being filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    limit: usize,
    records: usize,
    bytes: usize,
}

impl Page {
    /// An empty answer to a question for `limit` records.
    pub(super) fn new(limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(READ_MAX_RECORDS).min(READ_MAX_RECORDS);
        Self { limit, records: 0, bytes: 0 }
    }

    /// How many records to read next; 0 if the answer is full.
    ///
    /// As many as fit if they are of the size of those so far, so that small records are read at
    /// once and large ones are not read in vain.
    pub(super) fn next_look(&self) -> usize {
        let room = self.limit - self.records;
        if self.records == 0 {
            return room.min(FIRST);
        }
        let fitting = READ_MAX_BYTES.saturating_sub(self.bytes) / (self.bytes / self.records).max(1);
        room.min(fitting)
    }

    /// Takes one more record if it fits; the first always does.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let fits = self.records == 0 || self.bytes + bytes <= READ_MAX_BYTES;
        if fits && self.records < self.limit {
            self.records += 1;
            self.bytes += bytes;
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_thousand_small_records_take_two_looks() {
        let mut page = Page::new(1_000);
        let mut looks = 0;
        while page.next_look() > 0 {
            looks += 1;
            for _ in 0..page.next_look() {
                assert!(page.take(300));
            }
        }
        assert_eq!((looks, page.records), (2, 1_000));
    }

    proptest! {
        #[test]
        fn an_answer_keeps_its_bounds(limit in 1u64..20_000, sizes in prop::collection::vec(1usize..(2 << 20), 1..400)) {
            let mut page = Page::new(limit);
            let mut sizes = sizes.into_iter();
            'filling: while page.next_look() > 0 {
                for _ in 0..page.next_look() {
                    let Some(size) = sizes.next() else { break 'filling };
                    if !page.take(size) {
                        break 'filling;
                    }
                }
            }
            prop_assert!(page.records >= 1 && page.records as u64 <= limit);
            prop_assert!(page.records == 1 || page.bytes <= READ_MAX_BYTES);
        }
    }
}

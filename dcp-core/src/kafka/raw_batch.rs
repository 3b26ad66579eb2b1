//! A batch of records as it goes over the wire, and what a broker would not refuse but should. Pure.

use bytes::Bytes;

use crate::error::Error;

/// Everything before the first record.
pub(crate) const HEADER: usize = 61;
const TRANSACTIONAL: u16 = 1 << 4;
const CONTROL: u16 = 1 << 5;
const DELETE_HORIZON: u16 = 1 << 6;

/// One batch of format 2 in one or two pieces, which are sent as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawBatch {
    /// At least the 61 bytes before the first record.
    pub head: Bytes,
    /// The rest.
    pub body: Bytes,
}

impl RawBatch {
    /// A header that was written anew, and the records of another frame after it.
    #[must_use]
    pub fn new(head: Bytes, body: Bytes) -> Self {
        Self { head, body }
    }

    /// Of which producer it is; none if duplicates of it are not recognised.
    pub(crate) fn producer_id(&self) -> Option<i64> {
        self.at(43).map(i64::from_be_bytes).filter(|id| *id >= 0)
    }

    fn at<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.head.get(offset..offset + N)?.try_into().ok()
    }

    /// The one place that sees to it that the transactional bit is set if, and only if, the batch is part
    /// of a transaction: brokers take a batch without it and show it to readers at once.
    pub(crate) fn check(&self, transactional: bool) -> Result<(), &'static str> {
        if self.head.len() < HEADER {
            return Err("its head has less than 61 bytes");
        }
        let number = |offset| self.at(offset).map(i32::from_be_bytes);
        let length = i32::try_from(self.head.len() + self.body.len() - 12).ok();
        if number(8) != length {
            return Err("its length is not the one it says");
        }
        if self.at(16) != Some([2]) {
            return Err("it is not of format 2");
        }
        if self.at(0) != Some([0; 8]) {
            return Err("its base offset is not 0");
        }
        let attributes = self.at(21).map_or(0, u16::from_be_bytes);
        let count = number(57).unwrap_or(0);
        match () {
            () if (attributes & TRANSACTIONAL != 0) != transactional => {
                Err("its transactional bit is set without a transactional id, or the other way round")
            }
            () if transactional && self.producer_id().is_none() => Err("it is transactional and has no producer"),
            () if attributes & CONTROL != 0 => Err("only brokers write control batches"),
            () if attributes & DELETE_HORIZON != 0 => Err("it carries a delete horizon, which is the broker's own"),
            () if count < 1 || number(23) != Some(count - 1) => Err("its count of records and last offset disagree"),
            () => Ok(()),
        }
    }
}

impl From<Bytes> for RawBatch {
    fn from(head: Bytes) -> Self {
        Self { head, body: Bytes::new() }
    }
}

/// As an error that names the partition.
pub(crate) fn wrong(at: impl std::fmt::Display, why: &str) -> Error {
    Error::invalid("bad-batch", format!("the batch for {at}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lawful(attributes: u16, producer: i64) -> Vec<u8> {
        let mut bytes = vec![0; HEADER + 10];
        bytes[8..12].copy_from_slice(&59_i32.to_be_bytes());
        bytes[16] = 2;
        bytes[21..23].copy_from_slice(&attributes.to_be_bytes());
        bytes[23..27].copy_from_slice(&2_i32.to_be_bytes());
        bytes[43..51].copy_from_slice(&producer.to_be_bytes());
        bytes[57..61].copy_from_slice(&3_i32.to_be_bytes());
        bytes
    }

    fn check(bytes: Vec<u8>, transactional: bool) -> bool {
        RawBatch::from(Bytes::from(bytes)).check(transactional).is_ok()
    }

    #[test]
    fn the_transactional_bit_and_the_transactional_id_go_together() {
        assert!(check(lawful(0, -1), false) && check(lawful(TRANSACTIONAL, 7), true));
        assert!(!check(lawful(0, 7), true) && !check(lawful(TRANSACTIONAL, 7), false));
        assert!(!check(lawful(TRANSACTIONAL, -1), true), "no producer");
    }

    #[test]
    fn what_a_broker_must_not_see_is_not_sent() {
        assert!(!check(lawful(CONTROL, 7), false) && !check(lawful(DELETE_HORIZON, 7), false));
        for (at, byte) in [(7, 1), (11, 60), (16, 1), (26, 1), (60, 0), (60, 9)] {
            let mut wrong = lawful(0, 7);
            wrong[at] = byte;
            assert!(!check(wrong, false), "byte {at}");
        }
        let whole = Bytes::from(lawful(0, 7));
        assert!(RawBatch::new(whole.slice(..HEADER), whole.slice(HEADER..)).check(false).is_ok());
        for end in 0..whole.len() {
            assert!(RawBatch::from(whole.slice(..end)).check(false).is_err(), "{end}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(head: Vec<u8>, body: Vec<u8>, transactional: bool) {
            let batch = RawBatch::new(head.into(), body.into());
            let _ = (batch.check(transactional), batch.producer_id());
        }
    }
}

//! Numbers of variable length: zigzag, seven bits a byte, the lowest first.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Reads numbers and slices from the front; none if the bytes end or a number is too long.
#[derive(Debug)]
pub(super) struct Reader(pub(super) Bytes);

impl Reader {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let first = *self.0.first()?;
        let _ = self.0.split_to(1);
        Some(first)
    }

    /// At most ten bytes, as 64 bits need.
    pub(super) fn long(&mut self) -> Option<i64> {
        let mut bits = 0_u64;
        for (at, byte) in self.0.iter().take(10).enumerate() {
            bits |= u64::from(byte & 0x7F).checked_shl(u32::try_from(at * 7).ok()?)?;
            if byte & 0x80 == 0 {
                let _ = self.0.split_to(at + 1);
                return Some(unzigzag(bits));
            }
        }
        None
    }

    pub(super) fn int(&mut self) -> Option<i32> {
        i32::try_from(self.long()?).ok()
    }

    pub(super) fn take(&mut self, length: usize) -> Option<Bytes> {
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }

    /// A length, and as many bytes; a length of -1 is a missing value.
    pub(super) fn sized(&mut self) -> Option<Option<Bytes>> {
        match self.int()? {
            -1 => Some(None),
            length => self.take(usize::try_from(length).ok()?).map(Some),
        }
    }
}

// The bits are those of a signed number: neither cast loses any.
fn unzigzag(bits: u64) -> i64 {
    (bits >> 1).cast_signed() ^ -((bits & 1).cast_signed())
}

fn zigzag(number: i64) -> u64 {
    (number << 1).cast_unsigned() ^ (number >> 63).cast_unsigned()
}

pub(super) fn put(out: &mut BytesMut, number: i64) {
    let mut bits = zigzag(number);
    while bits >= 0x80 {
        out.put_u8(u8::try_from(bits & 0x7F).unwrap_or(0x7F) | 0x80);
        bits >>= 7;
    }
    out.put_u8(u8::try_from(bits).unwrap_or(0x7F));
}

/// Bytes that [`put`] writes.
pub(super) fn length(number: i64) -> usize {
    let bits = 64 - (zigzag(number) | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

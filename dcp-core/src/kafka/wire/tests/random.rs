//! Frames that have a given outline and are random otherwise.

use bytes::Bytes;

use crate::kafka::wire::api::Entry;
use crate::kafka::wire::shape::{Field, Shape};

/// A seed's numbers (SplitMix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    /// Below `bound`, which is above 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

/// A frame of that answer: header and body.
pub(super) fn frame(entry: &Entry, random: &mut Random) -> Bytes {
    let mut writer = Writer { out: vec![0, 0, 0, 1], flexible: entry.api.flexible, random };
    // The answer about versions has the oldest header, whoever asks.
    if entry.api.flexible && entry.api.key != 18 {
        writer.out.push(0);
    }
    writer.shape(entry.shape);
    writer.out.into()
}

struct Writer<'a> {
    out: Vec<u8>,
    flexible: bool,
    random: &'a mut Random,
}

impl Writer<'_> {
    fn shape(&mut self, shape: &Shape) {
        shape.fields.iter().for_each(|field| self.field(field));
        if !self.flexible {
            return;
        }
        let sent: Vec<_> = shape.tags.iter().filter(|_| self.random.below(2) == 0).collect();
        let unknown = self.random.below(4) == 0;
        self.varint(sent.len() + usize::from(unknown));
        for (tag, field) in sent {
            self.varint(usize::try_from(*tag).unwrap());
            let outside = std::mem::take(&mut self.out);
            self.field(field);
            let inside = std::mem::replace(&mut self.out, outside);
            self.varint(inside.len());
            self.out.extend(inside);
        }
        if unknown {
            self.varint(1_000);
            self.varint(3);
            self.out.extend(*b"new");
        }
    }

    fn field(&mut self, field: &Field) {
        match field {
            Field::Fixed(bytes) => self.bytes(*bytes),
            Field::Text => {
                let length = self.random.below(5);
                if self.flexible {
                    self.varint(length + 1);
                } else {
                    self.out.extend(u16::try_from(length).unwrap().to_be_bytes());
                }
                self.out.extend(std::iter::repeat_n(b'x', length));
            }
            Field::Bytes => {
                let length = self.count(40);
                self.bytes(length);
            }
            Field::Numbers(bytes) => {
                let count = self.count(4);
                self.bytes(count * bytes);
            }
            Field::Many(shape) => (0..self.count(4)).for_each(|_| self.shape(shape)),
            Field::Texts => (0..self.count(4)).for_each(|_| self.field(&Field::Text)),
            Field::One(shape) => self.shape(shape),
        }
    }

    fn count(&mut self, below: usize) -> usize {
        let count = self.random.below(below);
        if self.flexible {
            self.varint(count + 1);
        } else {
            self.out.extend(u32::try_from(count).unwrap().to_be_bytes());
        }
        count
    }

    fn bytes(&mut self, count: usize) {
        for _ in 0..count {
            let byte = self.random.byte();
            self.out.push(byte);
        }
    }

    fn varint(&mut self, mut number: usize) {
        while number >= 0x80 {
            self.out.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
            number >>= 7;
        }
        self.out.push(u8::try_from(number).unwrap());
    }
}

//! The outline of each response, checked before the codec reads it.
//!
//! The codec reserves memory for as many elements as a count in the frame says before it reads the
//! first one, so that nine bytes of garbage could ask for 200 GB. A frame that has this outline holds
//! every element it counts.

use crate::error::Error;

/// Most elements of arrays, and most tagged fields, of one response. Numbers alone do not count.
const ELEMENTS_MAX: usize = 1_000_000;

/// A struct: its fields in order and, in a flexible version, the tagged fields that the codec knows.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) fields: &'static [Field],
    pub(crate) tags: &'static [(u32, Field)],
}

/// One field.
#[derive(Debug)]
pub(crate) enum Field {
    /// So many bytes.
    Fixed(usize),
    /// Text or none.
    Text,
    /// Bytes or none.
    Bytes,
    /// An array of numbers of so many bytes.
    Numbers(usize),
    /// An array of structs.
    Many(&'static Shape),
    /// An array of texts.
    Texts,
    /// A struct.
    One(&'static Shape),
}

/// Checks that `bytes` are exactly one such struct.
pub(crate) fn check(shape: &Shape, flexible: bool, bytes: &[u8]) -> Result<(), Error> {
    let mut walk = Walk { rest: bytes, flexible, elements: 0 };
    let walked = walk.through(shape);
    let ended = walked.and(if walk.rest.is_empty() { Ok(()) } else { Err("it goes on after its end") });
    ended.map_err(|why| {
        let at = bytes.len() - walk.rest.len();
        Error::corrupt("unreadable-answer", format!("byte {at} of {} of an answer: {why}", bytes.len()))
    })
}

struct Walk<'a> {
    rest: &'a [u8],
    flexible: bool,
    elements: usize,
}

type Step<T = ()> = Result<T, &'static str>;

const CUT: &str = "it is cut";
const NEGATIVE: &str = "a length is negative";

impl Walk<'_> {
    fn through(&mut self, shape: &Shape) -> Step {
        for field in shape.fields {
            self.field(field)?;
        }
        if self.flexible { self.tags(shape.tags) } else { Ok(()) }
    }

    fn field(&mut self, field: &Field) -> Step {
        match field {
            Field::Fixed(bytes) => self.skip(*bytes),
            Field::Text => {
                let length = self.text_length()?;
                self.skip(length)
            }
            Field::Bytes => {
                let length = self.count()?;
                self.skip(length)
            }
            Field::Numbers(bytes) => {
                let length = self.count()?.checked_mul(*bytes).ok_or(CUT)?;
                self.skip(length)
            }
            Field::Many(shape) => (0..self.count()?).try_for_each(|_| {
                self.element()?;
                self.through(shape)
            }),
            Field::Texts => (0..self.count()?).try_for_each(|_| {
                self.element()?;
                self.field(&Field::Text)
            }),
            Field::One(shape) => self.through(shape),
        }
    }

    // The codec reads a tag that it knows without looking at the size that stands before it.
    fn tags(&mut self, known: &[(u32, Field)]) -> Step {
        for _ in 0..self.varint()? {
            self.element()?;
            let (tag, size) = (self.varint()?, usize::try_from(self.varint()?).map_err(|_| CUT)?);
            let Some((_, field)) = known.iter().find(|(name, _)| *name == tag) else {
                self.skip(size)?;
                continue;
            };
            let before = self.rest.len();
            self.field(field)?;
            if before - self.rest.len() != size {
                return Err("a tagged field has another size than it says");
            }
        }
        Ok(())
    }

    fn element(&mut self) -> Step {
        self.elements += 1;
        if self.elements > ELEMENTS_MAX { Err("it has too many elements") } else { Ok(()) }
    }

    fn skip(&mut self, bytes: usize) -> Step {
        self.rest = self.rest.get(bytes..).ok_or(CUT)?;
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Step<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(CUT)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Of bytes and arrays; none counts as empty.
    fn count(&mut self) -> Step<usize> {
        if self.flexible {
            return usize::try_from(self.varint()?.saturating_sub(1)).map_err(|_| CUT);
        }
        match i32::from_be_bytes(self.take()?) {
            -1 => Ok(0),
            length => usize::try_from(length).map_err(|_| NEGATIVE),
        }
    }

    fn text_length(&mut self) -> Step<usize> {
        if self.flexible {
            return self.count();
        }
        match i16::from_be_bytes(self.take()?) {
            -1 => Ok(0),
            length => usize::try_from(length).map_err(|_| NEGATIVE),
        }
    }

    fn varint(&mut self) -> Step<u32> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take()?;
            value |= (u32::from(byte) & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        Ok(value)
    }
}

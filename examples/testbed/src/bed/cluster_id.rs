//! An id that the members of one cluster share, in the form that Kafka asks for.

use rustix::rand::{GetRandomFlags, getrandom};

use crate::error::Error;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// 16 bytes in base 64 without padding.
const LENGTH: usize = 22;

/// A fresh one. Its last letter carries two bits only, and it does not begin with a dash, which a command
/// line would take for an option.
pub(super) fn fresh() -> Result<String, Error> {
    let mut bytes = [0_u8; LENGTH];
    let drawn = getrandom(&mut bytes, GetRandomFlags::empty());
    drawn.map_err(|error| Error::io("draw random bytes")(error.into()))?;
    bytes[0] &= 31;
    bytes[LENGTH - 1] &= 0b11_0000;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte & 63)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_have_the_right_form() {
        let id = fresh().unwrap();
        assert_eq!(id.len(), LENGTH);
        assert_ne!(id, fresh().unwrap());
        assert!(id.bytes().all(|letter| LETTERS.contains(&letter)) && !id.starts_with('-'));
        assert!("AQgw".contains(id.chars().last().unwrap()));
    }
}

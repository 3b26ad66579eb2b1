//! The key that both sides share.

use std::fmt;
use std::hint::black_box;

use crate::digest::Digest;
use crate::error::Error;

/// Shortest and longest key, in characters. 32 hex digits carry 128 bits.
const LENGTHS: std::ops::RangeInclusive<usize> = 32..=256;

/// A secret that a client presents with every request. Debug output never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerKey(String);

impl fmt::Debug for BearerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerKey(..)")
    }
}

impl BearerKey {
    /// Takes a key: 32 to 256 characters of `a-z A-Z 0-9 - . _ ~ + / =`.
    ///
    /// # Errors
    /// `Invalid` with the rule (never with the key).
    pub fn new(key: impl Into<String>) -> Result<Self, Error> {
        let key = key.into();
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if !LENGTHS.contains(&key.len()) || !key.bytes().all(legal) {
            return Err(Error::invalid(
                "bad-bearer-key",
                format!("bearer key of {} bytes: use 32 to 256 of a-z, A-Z, 0-9 and -._~+/=", key.len()),
            ));
        }
        Ok(Self(key))
    }

    /// A key from 32 secret bytes, as hex.
    #[must_use]
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        Self(hex::encode(secret))
    }

    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Whether an `authorization` header presents this key. Takes the same time wherever a wrong
    /// key differs, because digests are compared and every byte of them is looked at.
    pub(super) fn is_presented_by(&self, header: Option<&[u8]>) -> bool {
        let presented = header.and_then(|header| header.strip_prefix(b"Bearer ")).unwrap_or_default();
        let (mine, theirs) = (Digest::of(self.0.as_bytes()), Digest::of(presented));
        let pairs = mine.as_bytes().iter().zip(theirs.as_bytes());
        black_box(pairs.fold(0u8, |difference, (left, right)| difference | (left ^ right))) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::BearerKey;

    #[test]
    fn only_the_whole_key_passes() {
        let key = BearerKey::from_bytes(&[7; 32]);
        let header = key.header().into_bytes();
        assert!(key.is_presented_by(Some(&header)));
        let mut longer = header.clone();
        longer.push(b'0');
        for wrong in
            [None, Some(&b""[..]), Some(&b"Bearer "[..]), Some(&header[7..]), Some(&header[..70]), Some(&longer)]
        {
            assert!(!key.is_presented_by(wrong));
        }
        assert!(!key.is_presented_by(Some(BearerKey::from_bytes(&[8; 32]).header().as_bytes())));
    }

    #[test]
    fn a_short_or_odd_key_is_refused_and_never_shown() {
        for bad in ["", "short", &"a".repeat(31), &"a".repeat(257), &format!("{} b", "a".repeat(40))] {
            assert_eq!(BearerKey::new(bad).unwrap_err().code(), "bad-bearer-key");
        }
        let secret = "s3cret-s3cret-s3cret-s3cret-s3cret";
        assert!(!format!("{:?}", BearerKey::new(secret).unwrap()).contains("s3cret"));
    }
}

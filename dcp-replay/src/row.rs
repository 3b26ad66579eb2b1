//! Keys of stored rows.

use std::borrow::Borrow;
use std::fmt;

use bytes::Bytes;
use dcp_core::event::StreamId;
use dcp_core::ids::{ProjectionId, ScopeId};
use dcp_core::log::LogId;
use serde::{Deserialize, Serialize};

/// Longest key of a row, in bytes, with what the engine puts before it.
pub(crate) const ROW_KEY_MAX_BYTES: usize = 4_096;

/// Key of one stored row; ordered by its bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RowKey(Bytes);

impl RowKey {
    /// Takes the bytes of a key.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for RowKey {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Layout of one projection's keys: its name, a zero byte, a tag, and the rest.
///
/// Names hold no zero byte. A stream's text may, so that it is preceded by its length.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    prefix: Vec<u8>,
}

const DEFINITION: u8 = b'd';
const COUNTS: u8 = b'c';
const STOP: u8 = b'x';
const POSITION: u8 = b'p';
const MARK: u8 = b'm';
const SHARED: u8 = b'r';
const STREAM: u8 = b's';

impl Keys {
    pub(crate) fn new(projection: &ProjectionId) -> Self {
        let mut prefix = projection.as_str().as_bytes().to_vec();
        prefix.push(0);
        Self { prefix }
    }

    fn join(&self, tag: u8, parts: &[&[u8]]) -> RowKey {
        let length = self.prefix.len() + 1 + parts.iter().map(|part| part.len()).sum::<usize>();
        let mut key = Vec::with_capacity(length);
        key.extend_from_slice(&self.prefix);
        key.push(tag);
        for part in parts {
            key.extend_from_slice(part);
        }
        RowKey::new(key)
    }

    pub(crate) fn definition(&self) -> RowKey {
        self.join(DEFINITION, &[])
    }

    pub(crate) fn counts(&self) -> RowKey {
        self.join(COUNTS, &[])
    }

    pub(crate) fn stop(&self) -> RowKey {
        self.join(STOP, &[])
    }

    pub(crate) fn position(&self, log: &LogId) -> RowKey {
        self.join(POSITION, &[log.to_string().as_bytes()])
    }

    pub(crate) fn mark(&self, scope: &ScopeId, stream: &StreamId) -> RowKey {
        self.join(MARK, &[scope.as_str().as_bytes(), &[0], stream.as_str().as_bytes()])
    }

    pub(crate) fn marks(&self) -> RowKey {
        self.join(MARK, &[])
    }

    pub(crate) fn shared(&self, key: &str) -> RowKey {
        self.join(SHARED, &[key.as_bytes()])
    }

    pub(crate) fn of_stream(&self, scope: &ScopeId, stream: &StreamId, key: &str) -> RowKey {
        let stream = stream.as_str().as_bytes();
        let length = u64::try_from(stream.len()).unwrap_or(u64::MAX).to_be_bytes();
        self.join(STREAM, &[scope.as_str().as_bytes(), &[0], &length, stream, key.as_bytes()])
    }

    pub(crate) fn of_scope(&self, scope: &ScopeId) -> RowKey {
        self.join(STREAM, &[scope.as_str().as_bytes(), &[0]])
    }

    pub(crate) fn of_streams(&self) -> RowKey {
        self.join(STREAM, &[])
    }

    fn rest<'a>(&self, tag: u8, key: &'a RowKey) -> Option<&'a [u8]> {
        key.as_bytes().strip_prefix(self.prefix.as_slice())?.strip_prefix(&[tag])
    }

    /// Scope and stream of a mark's key.
    pub(crate) fn parse_mark(&self, key: &RowKey) -> Option<(ScopeId, StreamId)> {
        let rest = self.rest(MARK, key)?;
        let zero = rest.iter().position(|byte| *byte == 0)?;
        let scope = ScopeId::new(std::str::from_utf8(&rest[..zero]).ok()?).ok()?;
        Some((scope, StreamId::new(std::str::from_utf8(&rest[zero + 1..]).ok()?)))
    }

    /// The user's key of a shared row.
    pub(crate) fn parse_shared(&self, key: &RowKey) -> Option<String> {
        Some(std::str::from_utf8(self.rest(SHARED, key)?).ok()?.to_owned())
    }

    /// Scope, stream and the user's key of a stream's row.
    pub(crate) fn parse_stream(&self, key: &RowKey) -> Option<(ScopeId, StreamId, String)> {
        let rest = self.rest(STREAM, key)?;
        let zero = rest.iter().position(|byte| *byte == 0)?;
        let scope = ScopeId::new(std::str::from_utf8(&rest[..zero]).ok()?).ok()?;
        let (length, rest) = rest[zero + 1..].split_first_chunk::<8>()?;
        let (stream, key) = rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
        let stream = StreamId::new(std::str::from_utf8(stream).ok()?);
        Some((scope, stream, std::str::from_utf8(key).ok()?.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_streams_key_is_read_back_whatever_bytes_it_holds() {
        let keys = Keys::new(&ProjectionId::new("stock").unwrap());
        let scope = ScopeId::new("orders.w").unwrap();
        for (stream, key) in [("", ""), ("a\0b", "level"), ("a", "\0blevel"), ("ü/ ", "k")] {
            let stream = StreamId::new(stream);
            let row = keys.of_stream(&scope, &stream, key);
            assert_eq!(keys.parse_stream(&row), Some((scope.clone(), stream.clone(), key.to_owned())));
            let mark = keys.mark(&scope, &stream);
            assert_eq!(keys.parse_mark(&mark), Some((scope.clone(), stream)));
            assert_eq!(keys.parse_shared(&row), None);
        }
    }

    #[test]
    fn no_two_projections_share_a_prefix() {
        let short = Keys::new(&ProjectionId::new("sale").unwrap()).shared("s");
        let long = Keys::new(&ProjectionId::new("sales").unwrap());
        assert_eq!(long.parse_shared(&short), None);
    }
}

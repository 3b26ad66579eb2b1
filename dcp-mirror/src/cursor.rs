//! The link's cursor: where in the source's log the last copied record stands.

use bytes::Bytes;
use dcp_core::Error;
use dcp_core::digest::Digest;
use dcp_core::ids::{CursorName, LinkId};
use dcp_core::log::LogId;
use dcp_core::ports::Cursor;
use dcp_core::position::Position;
use serde::{Deserialize, Serialize};

/// Committed with each batch of copies, so that the mirror and the place to go on from never
/// disagree. The position carries the source's incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceCursor {
    /// Place of the last copied record in the source's log.
    pub(crate) position: Position,
    /// Records in the mirror with it.
    pub(crate) count: u64,
    /// Companion logs: where the local copy ended before this batch, so that a restarted link
    /// reads its newest heartbeats again without reading the log from its start.
    pub(crate) local_before: Option<Position>,
}

/// The stored form; the variant's number is the format's version.
#[derive(Serialize, Deserialize)]
enum Stored {
    V1(SourceCursor),
}

impl SourceCursor {
    /// For a batch.
    pub(crate) fn to_cursor(self, name: CursorName) -> Result<Cursor, Error> {
        let value = postcard::to_stdvec(&Stored::V1(self))
            .map_err(|cause| Error::corrupt("cursor-encoding", format!("{name}: {cause}")))?;
        Ok(Cursor { name, value: value.into() })
    }

    /// From the local store.
    pub(crate) fn decode(name: &CursorName, value: &Bytes) -> Result<Self, Error> {
        match postcard::take_from_bytes(value) {
            Ok((Stored::V1(cursor), [])) => Ok(cursor),
            Ok(_) => Err(Error::corrupt("bad-cursor", format!("{name}: bytes after the cursor"))),
            Err(cause) => Err(Error::corrupt("bad-cursor", format!("{name}: {cause}"))),
        }
    }
}

/// Name of the cursor of one log of one link: a digest, since the names together may be longer
/// than a cursor's name.
pub(crate) fn cursor_name(link: &LinkId, log: &LogId) -> Result<CursorName, Error> {
    let digest = Digest::of_fields([link.as_str().as_bytes(), log.to_string().as_bytes()]);
    CursorName::new(format!("mirror.{digest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dcp_core::position::LogIncarnation;

    fn cursor() -> SourceCursor {
        let position = Position::from_store(LogIncarnation::from_bytes([7; 16]), 300);
        SourceCursor { position, count: 3, local_before: None }
    }

    /// The stored form must stay readable by later versions: change the format, add a variant.
    #[test]
    fn golden_vector() {
        let name: CursorName = "mirror.test".parse().unwrap();
        let stored = cursor().to_cursor(name.clone()).unwrap();
        let expected = [vec![0], vec![7; 16], vec![0xac, 0x02], vec![3], vec![0]].concat();
        assert_eq!(stored.value.as_ref(), expected);
        assert_eq!(SourceCursor::decode(&name, &stored.value).unwrap(), cursor());
    }

    #[test]
    fn damaged_cursors_are_corrupt() {
        let name: CursorName = "mirror.test".parse().unwrap();
        let mut value = cursor().to_cursor(name.clone()).unwrap().value.to_vec();
        value.push(0);
        for damaged in [&value[..], &value[..5], &[9][..]] {
            let error = SourceCursor::decode(&name, &Bytes::copy_from_slice(damaged)).unwrap_err();
            assert_eq!(error.code(), "bad-cursor");
        }
    }

    #[test]
    fn names_differ_per_link_and_log() {
        let log: LogId = "orders@west/1".parse().unwrap();
        let other: LogId = "orders@west/2".parse().unwrap();
        let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
        let names = [cursor_name(&a, &log), cursor_name(&a, &other), cursor_name(&b, &log)];
        let distinct: std::collections::BTreeSet<_> = names.into_iter().map(Result::unwrap).collect();
        assert_eq!(distinct.len(), 3);
    }
}

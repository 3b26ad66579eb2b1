//! The head, and the names of the keys that it governs.

use bytes::Bytes;
use dcp_core::Error;
use dcp_core::ports::Key;
use serde::{Deserialize, Serialize};

use crate::model::{decode, encode};

/// Most deltas that one commit writes, each at most 1 MiB.
pub(super) const DELTAS_PER_COMMIT_MAX: usize = 24;

/// What is valid: every commit rewrites it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// Number of the last commit or claim.
    pub(super) sequence: u64,
    /// Number of buckets, fixed when the model was begun.
    pub(super) buckets: u32,
    /// First delta that is not folded.
    pub(super) delta_from: u64,
    /// Number of the next delta.
    pub(super) delta_next: u64,
}

impl Head {
    pub(super) fn new(buckets: u32) -> Self {
        Self { sequence: 0, buckets, delta_from: 0, delta_next: 0 }
    }

    pub(super) fn encode(&self) -> Result<Bytes, Error> {
        encode(self)
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self, Error> {
        let head: Self = decode(value).map_err(|error| error.at("head of the read model"))?;
        if head.buckets == 0 || head.delta_from > head.delta_next {
            return Err(Error::corrupt("bad-head", format!("head of the read model contradicts itself: {head:?}")));
        }
        Ok(head)
    }
}

/// Names of keys.
#[derive(Debug)]
pub(super) struct Layout {
    prefix: String,
}

impl Layout {
    pub(super) fn new(prefix: String) -> Result<Self, Error> {
        let layout = Self { prefix };
        layout.delta(u64::MAX)?;
        Ok(layout)
    }

    pub(super) fn head(&self) -> Result<Key, Error> {
        Key::new(format!("{}/head", self.prefix))
    }

    pub(super) fn delta(&self, number: u64) -> Result<Key, Error> {
        Key::new(format!("{}/delta/{number:020}", self.prefix))
    }

    pub(super) fn bucket(&self, number: u32) -> Result<Key, Error> {
        Key::new(format!("{}/bucket/{number:08}", self.prefix))
    }
}

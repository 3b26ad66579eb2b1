//! The leader's key as it stands in the store.

use dcp_core::digest::Digest;
use dcp_core::fence::Term;
use dcp_core::ids::{HolderId, RegionId};
use dcp_core::ports::{Entry, Key};
use dcp_core::{Error, ports::Revision};
use serde::{Deserialize, Serialize};

/// Value of `election/<region>/leader`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeaderRecord {
    /// Who took the key.
    pub(crate) holder: HolderId,
    /// Drawn once per campaign, so that an unknown outcome is resolved by reading.
    pub(crate) nonce: Digest,
    /// The commit that took the key; none in that commit itself, which cannot know its own number.
    pub(crate) taken: Option<Revision>,
    /// Rises with every renewal; a challenger times how long it stays the same.
    pub(crate) sequence: u64,
}

/// The record together with the commit that wrote it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leader {
    pub(crate) record: LeaderRecord,
    pub(crate) revision: Revision,
}

impl Leader {
    pub(crate) fn read(entry: &Entry) -> Result<Self, Error> {
        let record = serde_json::from_slice(&entry.value)
            .map_err(|cause| Error::corrupt("bad-leader", format!("{}: {cause}", entry.key)))?;
        Ok(Self { record, revision: entry.revision })
    }

    /// The commit that took the key: what the term is called by. A renewal does not change it.
    pub(crate) fn taken(&self) -> Revision {
        self.record.taken.unwrap_or(self.revision)
    }

    pub(crate) fn term(&self, issuer: &RegionId) -> Term {
        Term { issuer: issuer.clone(), holder: self.record.holder.clone(), revision: self.taken().get() }
    }

    /// The value of the next renewal, which keeps the term.
    pub(crate) fn renewed(&self) -> LeaderRecord {
        LeaderRecord { taken: Some(self.taken()), sequence: self.record.sequence + 1, ..self.record.clone() }
    }
}

impl LeaderRecord {
    pub(crate) fn taking(holder: HolderId, nonce: Digest) -> Self {
        Self { holder, nonce, taken: None, sequence: 0 }
    }

    pub(crate) fn to_value(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(|cause| Error::invalid("unwritable-leader", cause.to_string()))
    }
}

pub(crate) fn key(region: &RegionId) -> Result<Key, Error> {
    Key::new(format!("election/{region}/leader"))
}

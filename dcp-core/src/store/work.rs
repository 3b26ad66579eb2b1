//! What a writing session asks of its store, and what it is answered.

use crate::ports::event_store::{Appended, CopyBatch, OwnerBatch};
use crate::position::PrefixDigest;

/// What one caller asks.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    Append(OwnerBatch),
    Copy(CopyBatch),
}

/// What it is answered.
#[derive(Debug)]
pub(crate) enum Done {
    Appended(Appended),
    Copied(PrefixDigest),
}

impl Work {
    pub(crate) fn records(&self) -> usize {
        match self {
            Self::Append(batch) => batch.events.len(),
            Self::Copy(batch) => batch.records.len(),
        }
    }

    /// Bytes of payloads, which are what can be large.
    pub(crate) fn payload_bytes(&self) -> usize {
        match self {
            Self::Append(batch) => batch.events.iter().map(|event| event.payload.len()).sum(),
            Self::Copy(batch) => batch.records.iter().map(|record| record.payload.len()).sum(),
        }
    }
}

// For lanes of one session, where nothing has to be said beside the batch.
impl AsRef<Self> for Work {
    fn as_ref(&self) -> &Self {
        self
    }
}

//! What has to be known of batches that go together.

use std::collections::BTreeSet;

use crate::event::{EventId, StreamId};
use crate::store::append::bounds::{event_bytes, record_bytes};
use crate::store::work::Work;

impl Work {
    pub(crate) fn records(&self) -> usize {
        match self {
            Self::Append(batch) => batch.events.len(),
            Self::Copy(batch) => batch.records.len(),
        }
    }

    /// Bytes of payloads, keys and headers: each of them can be as large as an event may be.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Append(batch) => batch.events.iter().map(event_bytes).sum(),
            Self::Copy(batch) => batch.records.iter().map(record_bytes).sum(),
        }
    }
}

// For lanes of one session, where nothing has to be said beside the batch.
impl AsRef<Self> for Work {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// The streams that these batches grow.
pub(crate) fn streams_of(group: &[impl AsRef<Work>]) -> BTreeSet<StreamId> {
    let mut streams = BTreeSet::new();
    for asked in group {
        match asked.as_ref() {
            Work::Append(batch) => streams.extend(batch.events.iter().map(|event| event.stream.clone())),
            Work::Copy(batch) => streams.extend(batch.records.iter().map(|record| record.stream.clone())),
        }
    }
    streams
}

/// The ids that have to be looked up for these batches; none for a copy, which looks no id up.
pub(crate) fn ids_of(group: &[impl AsRef<Work>]) -> impl Iterator<Item = EventId> {
    let appends = group.iter().filter_map(|asked| match asked.as_ref() {
        Work::Append(batch) => Some(batch.events.iter().map(|event| event.id)),
        Work::Copy(_) => None,
    });
    appends.flatten()
}

//! Where the local store holds the ids of a batch.

use std::collections::{BTreeMap, BTreeSet};

use dcp_core::Error;
use dcp_core::event::EventId;
use dcp_core::ports::{EventSource, Sighting};

use crate::logs::Group;

/// Sightings of a batch, sorted by id.
#[derive(Debug, Default)]
pub(crate) struct Sighted(Vec<Sighting>);

impl Sighted {
    /// Looks ids up, one call per group.
    pub(crate) async fn look_up(
        source: &dyn EventSource,
        wanted: BTreeMap<usize, BTreeSet<EventId>>,
        groups: &[Group],
    ) -> Result<BTreeMap<usize, Self>, Error> {
        let mut all = BTreeMap::new();
        for (number, ids) in wanted {
            let group = &groups[number];
            let ids: Vec<_> = ids.into_iter().collect();
            let mut found = source.sightings(&group.scope, group.partition, &ids).await?;
            found.sort_by_key(|sighting| sighting.id);
            all.insert(number, Self(found));
        }
        Ok(all)
    }

    /// Where one id is held.
    pub(crate) fn of(&self, id: &EventId) -> std::slice::Iter<'_, Sighting> {
        let from = self.0.partition_point(|sighting| sighting.id < *id);
        let until = from + self.0[from..].iter().take_while(|sighting| sighting.id == *id).count();
        self.0[from..until].iter()
    }
}

//! Where the local store holds the ids of a batch.

use std::collections::{BTreeMap, BTreeSet};

use dcp_core::Error;
use dcp_core::event::EventId;
use dcp_core::ports::{EventSource, Sighting};

use crate::logs::Group;

/// Sightings of a batch, by id.
#[derive(Debug, Default)]
pub(crate) struct Sighted(BTreeMap<EventId, Vec<Sighting>>);

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
            let mut by_id: BTreeMap<EventId, Vec<Sighting>> = BTreeMap::new();
            for sighting in source.sightings(&group.scope, group.partition, &ids).await? {
                by_id.entry(sighting.id).or_default().push(sighting);
            }
            all.insert(number, Self(by_id));
        }
        Ok(all)
    }

    /// Where one id is held.
    pub(crate) fn of(&self, id: &EventId) -> std::slice::Iter<'_, Sighting> {
        self.0.get(id).map_or(&[][..], Vec::as_slice).iter()
    }
}

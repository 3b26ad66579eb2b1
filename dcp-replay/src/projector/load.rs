//! Reading of a projection's committed state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dcp_core::Error;
use dcp_core::ports::DeliveryCounts;

use super::seat::{Halt, Seat};
use crate::logs::Logs;
use crate::mark::{Marks, StreamMark};
use crate::model::{decode, encode};
use crate::model_store::{Changes, ModelStore, scan_all};
use crate::projection::Projection;
use crate::row::Keys;

pub(super) async fn load_seat(
    models: &dyn ModelStore,
    logs: &Logs,
    projection: Arc<dyn Projection>,
) -> Result<Seat, Error> {
    let id = projection.id();
    let rule = projection.late_rule();
    let keys = Keys::new(&id);
    let mut wanted = vec![keys.definition(), keys.counts(), keys.stop()];
    wanted.extend(logs.ids.iter().map(|log| keys.position(log)));
    let mut values = models.read(&wanted).await?.into_iter();
    let mut next = || values.next().flatten();
    let (definition, counts, stop) = (next(), next(), next());
    let mut changes = Changes::new();
    match definition {
        None => {
            changes.insert(keys.definition(), Some(encode(&rule)?));
        }
        Some(stored) if decode::<crate::LateRule>(&stored)? == rule => {}
        Some(_) => {
            return Err(Error::refused(
                "late-rule-changed",
                format!(
                    "projection {id}: its model was begun under another rule for late events; build it again under a new name"
                ),
            ));
        }
    }
    let counts = counts.map_or_else(|| Ok(DeliveryCounts::default()), |value| decode(&value))?;
    let halt = stop.map(|value| decode(&value).map(Halt::Stopped)).transpose()?;
    let position = |value: Option<bytes::Bytes>| value.map(|value| decode(&value)).transpose();
    let positions = values.map(position).collect::<Result<Vec<_>, Error>>()?;
    let (marks, dirty) = load_marks(models, &keys).await?;
    Ok(Seat {
        projection,
        id,
        rule,
        keys,
        positions,
        marks,
        dirty,
        counts,
        halt,
        rows: BTreeMap::new(),
        changes,
        changed_positions: BTreeSet::new(),
        changed_marks: BTreeMap::new(),
        changed_counts: false,
    })
}

async fn load_marks(models: &dyn ModelStore, keys: &Keys) -> Result<(Marks, u64), Error> {
    let mut marks = Marks::new();
    let mut dirty = 0;
    for (key, value) in scan_all(models, keys.marks().as_bytes()).await? {
        let (scope, stream) = keys
            .parse_mark(&key)
            .ok_or_else(|| Error::corrupt("bad-mark", format!("key {key:?} of the read model is no stream's mark")))?;
        let mark: StreamMark = decode(&value)?;
        dirty += u64::from(mark.dirty);
        marks.entry(scope).or_default().insert(stream, mark);
    }
    Ok((marks, dirty))
}

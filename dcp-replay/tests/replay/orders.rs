//! The two projections of the tests, and the reference that they are compared with.

use std::collections::{BTreeMap, BTreeSet};

use dcp_core::Error;
use dcp_core::digest::Digest;
use dcp_core::event::{Record, StreamId};
use dcp_core::ids::{ProjectionId, ScopeId};
use dcp_core::log::LogId;
use dcp_replay::{Applied, LateRule, Model, Projection};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    pub lines: u64,
    pub quantity: i64,
    pub streams: u64,
}

/// Totals, and per stream a row that says that it was seen.
#[derive(Debug)]
pub struct Sales;

pub fn sales() -> ProjectionId {
    ProjectionId::new("sales").unwrap()
}

pub fn stock() -> ProjectionId {
    ProjectionId::new("stock").unwrap()
}

pub fn quantity(record: &Record) -> Result<i64, Error> {
    let text = std::str::from_utf8(&record.payload).unwrap_or("?");
    text.parse().map_err(|_| Error::invalid("bad-quantity", format!("quantity {text:?}: no number")))
}

impl Projection for Sales {
    fn id(&self) -> ProjectionId {
        sales()
    }

    fn late_rule(&self) -> LateRule {
        LateRule::Commutes
    }

    fn apply(&self, model: &mut Model<'_>, event: &Applied<'_>) -> Result<(), Error> {
        let quantity = quantity(event.record)?;
        let seen = format!("stream/{}/{}", event.log.scope(), event.record.stream);
        let first = model.get(&seen)?.is_none();
        model.put(&seen, "1")?;
        let mut total: Total = model.read("total")?.unwrap_or_default();
        total.lines += 1;
        total.quantity += quantity;
        total.streams += u64::from(first);
        model.write("total", &total)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    pub level: i64,
    pub chain: Digest,
}

/// Level and chain of each stream.
#[derive(Debug)]
pub struct Stock;

pub fn next_level(before: Option<Level>, record: &Record) -> Result<Level, Error> {
    let before = before.unwrap_or(Level { level: 0, chain: Digest::ZERO });
    let chain = Digest::of_parts(&[before.chain.as_bytes(), record.id.as_bytes(), &record.payload]);
    Ok(Level { level: before.level + quantity(record)?, chain })
}

impl Projection for Stock {
    fn id(&self) -> ProjectionId {
        stock()
    }

    fn late_rule(&self) -> LateRule {
        LateRule::RebuildStream
    }

    fn apply(&self, model: &mut Model<'_>, event: &Applied<'_>) -> Result<(), Error> {
        let level = next_level(model.read("level")?, event.record)?;
        model.write("level", &level)
    }
}

/// What the models must hold: every id once, each stream in the order of (epoch, version).
#[derive(Debug, PartialEq, Eq)]
pub struct Reference {
    pub total: Total,
    pub levels: BTreeMap<(ScopeId, StreamId), Level>,
    pub records: u64,
    pub copies: u64,
}

pub fn reference(logs: &[(LogId, Vec<Record>)]) -> Reference {
    let mut streams: BTreeMap<(ScopeId, StreamId), Vec<&Record>> = BTreeMap::new();
    for (log, records) in logs {
        for record in records {
            streams.entry((log.scope().clone(), record.stream.clone())).or_default().push(record);
        }
    }
    let mut reference = Reference { total: Total::default(), levels: BTreeMap::new(), records: 0, copies: 0 };
    for (stream, mut records) in streams {
        records.sort_by_key(|record| (record.epoch, record.version));
        let mut seen = BTreeSet::new();
        let mut level = None;
        reference.total.streams += 1;
        for record in records {
            reference.records += 1;
            if !seen.insert(record.id) {
                reference.copies += 1;
                continue;
            }
            reference.total.lines += 1;
            reference.total.quantity += quantity(record).unwrap();
            level = Some(next_level(level, record).unwrap());
        }
        reference.levels.insert(stream, level.unwrap());
    }
    reference
}

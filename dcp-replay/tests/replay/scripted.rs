//! An event source whose logs are a script: any content, shown bit by bit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dcp_core::Error;
use dcp_core::event::{EventId, Placed, Record};
use dcp_core::fence::Fence;
use dcp_core::ids::{CursorName, ScopeId};
use dcp_core::log::LogId;
use dcp_core::ports::{EventReader, EventSource, ReadFrom, Sighting, StoreIdentity};
use dcp_core::position::{Cut, LogEnd, LogIncarnation, Position, PrefixDigest};

#[derive(Debug, Default)]
struct Script {
    logs: BTreeMap<LogId, Vec<Record>>,
    visible: BTreeMap<LogId, usize>,
    incarnation: u8,
    /// Records that a newly opened reader hands out again.
    repeats: usize,
}

#[derive(Debug, Clone, Default)]
pub struct Scripted(Arc<Mutex<Script>>);

impl Script {
    fn shown(&self, log: &LogId) -> &[Record] {
        let count = self.visible.get(log).copied().unwrap_or(0);
        self.logs.get(log).map_or(&[][..], |records| &records[..count])
    }

    // Ranks are no counts: nobody may compute with them.
    fn position(&self, index: usize) -> Position {
        Position::from_store(LogIncarnation::from_bytes([self.incarnation; 16]), 7 + 3 * index as u64)
    }
}

impl Scripted {
    pub fn new(logs: BTreeMap<LogId, Vec<Record>>) -> Self {
        Self(Arc::new(Mutex::new(Script { logs, ..Script::default() })))
    }

    /// Shows up to `count` more records; answers whether any was left.
    pub fn show(&self, log: &LogId, count: usize) -> bool {
        let mut script = self.0.lock().unwrap();
        let length = script.logs.get(log).map_or(0, Vec::len);
        let visible = script.visible.entry(log.clone()).or_default();
        let more = *visible < length;
        *visible = (*visible + count).min(length);
        more
    }

    pub fn show_all(&self) {
        for log in self.names() {
            self.show(&log, usize::MAX / 2);
        }
    }

    pub fn push(&self, log: &LogId, record: Record) {
        let mut script = self.0.lock().unwrap();
        script.logs.entry(log.clone()).or_default().push(record);
        *script.visible.entry(log.clone()).or_default() += 1;
    }

    pub fn hide(&self, log: &LogId, count: usize) {
        self.0.lock().unwrap().visible.insert(log.clone(), count);
    }

    pub fn restore_as(&self, incarnation: u8) {
        self.0.lock().unwrap().incarnation = incarnation;
    }

    pub fn repeat(&self, records: usize) {
        self.0.lock().unwrap().repeats = records;
    }

    pub fn names(&self) -> Vec<LogId> {
        self.0.lock().unwrap().logs.keys().cloned().collect()
    }

    pub fn shown(&self, log: &LogId) -> Vec<Record> {
        self.0.lock().unwrap().shown(log).to_vec()
    }
}

fn prefix(records: &[Record]) -> PrefixDigest {
    records.iter().fold(PrefixDigest::EMPTY, |prefix, record| prefix.then(&record.digest()))
}

#[async_trait]
impl EventSource for Scripted {
    async fn identity(&self) -> Result<StoreIdentity, Error> {
        Ok(StoreIdentity { incarnation: LogIncarnation::from_bytes([9; 16]), commit_sequence: 1 })
    }

    async fn ends(&self, logs: &[LogId]) -> Result<Cut, Error> {
        let script = self.0.lock().unwrap();
        let end = |log: &LogId| {
            let shown = script.shown(log);
            let last = shown.len().checked_sub(1).map(|index| script.position(index));
            let incarnation = LogIncarnation::from_bytes([script.incarnation; 16]);
            (log.clone(), LogEnd { incarnation, last, prefix: prefix(shown) })
        };
        Ok(logs.iter().map(end).collect())
    }

    async fn logs(&self) -> Result<Vec<LogId>, Error> {
        Ok(self.names())
    }

    async fn fence(&self, log: &LogId) -> Result<Fence, Error> {
        Err(Error::refused("no-fence", format!("{log}: a script has no fence")))
    }

    async fn prefix(&self, log: &LogId, count: u64) -> Result<Option<PrefixDigest>, Error> {
        let count = usize::try_from(count).unwrap();
        Ok(self.0.lock().unwrap().shown(log).get(..count).map(prefix))
    }

    async fn sightings(&self, scope: &ScopeId, partition: u32, ids: &[EventId]) -> Result<Vec<Sighting>, Error> {
        let script = self.0.lock().unwrap();
        let mut found = Vec::new();
        for log in script.logs.keys().filter(|log| log.scope() == scope && log.partition() == partition) {
            for (index, record) in script.shown(log).iter().enumerate().filter(|(_, record)| ids.contains(&record.id)) {
                found.push(Sighting {
                    id: record.id,
                    log: log.clone(),
                    position: script.position(index),
                    epoch: record.epoch,
                    version: record.version,
                    content: record.content_digest(),
                });
            }
        }
        Ok(found)
    }

    async fn cursor(&self, _name: &CursorName) -> Result<Option<Bytes>, Error> {
        Ok(None)
    }

    async fn open_reader(&self, log: &LogId, from: ReadFrom) -> Result<Box<dyn EventReader>, Error> {
        let script = self.0.lock().unwrap();
        let next = match from {
            ReadFrom::Start => 0,
            ReadFrom::After(position) => {
                let found = (0..script.shown(log).len()).find(|index| script.position(*index) == position);
                found.ok_or_else(|| Error::corrupt("bad-position", format!("{log}: {position}")))? + 1
            }
        };
        let next = next.saturating_sub(script.repeats);
        Ok(Box::new(ScriptedReader { source: self.clone(), log: log.clone(), next }))
    }
}

#[derive(Debug)]
struct ScriptedReader {
    source: Scripted,
    log: LogId,
    next: usize,
}

#[async_trait]
impl EventReader for ScriptedReader {
    async fn next(&mut self, limit: usize, _wait: Duration) -> Result<Vec<Placed>, Error> {
        let script = self.source.0.lock().unwrap();
        let shown = script.shown(&self.log);
        let until = (self.next + limit).min(shown.len());
        let placed = |index: usize| Placed { position: script.position(index), record: shown[index].clone() };
        let records = (self.next..until).map(placed).collect();
        self.next = until;
        Ok(records)
    }
}

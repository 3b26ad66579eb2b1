//! One region's projector over scripted logs and a memory state store.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use dcp_core::clock::TokioClock;
use dcp_core::event::{EventId, NewEvent, Record, StreamId, Version};
use dcp_core::fence::Term;
use dcp_core::ids::{RunId, ScopeId, StepId};
use dcp_core::log::LogId;
use dcp_core::memory::MemoryStateStore;
use dcp_core::operation::{Operation, OperationKey};
use dcp_core::ownership::Epoch;
use dcp_core::ports::{EventSource, ReplayControl, StateStore};
use dcp_replay::{ModelStore, Projector, ProjectorSettings, ReadModel, StateModelStore};

use crate::orders::{Level, Reference, Sales, Stock, Total, reference, sales, stock};
use crate::scripted::Scripted;
use crate::unreliable::Unreliable;

pub fn log(text: &str) -> LogId {
    text.parse().unwrap()
}

pub fn record(id: u64, stream: &str, epoch: u64, version: u64, quantity: i64) -> Record {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&id.to_be_bytes());
    let payload = Bytes::from(quantity.to_string());
    let event = NewEvent::new(EventId::from_bytes(bytes), StreamId::new(stream), "line", payload);
    Record::of(event, Epoch::new(epoch), Version::new(version))
}

pub fn operation() -> Operation {
    let key = OperationKey { run: RunId::new("run").unwrap(), step: StepId::new("refold").unwrap() };
    Operation::for_tests(key, term())
}

fn term() -> Term {
    let holder = dcp_core::ids::HolderId::new("plane-1").unwrap();
    Term { issuer: dcp_core::ids::RegionId::new("w").unwrap(), holder, revision: 1 }
}

#[derive(Debug)]
pub struct World {
    pub source: Scripted,
    pub memory: MemoryStateStore,
    pub state: Arc<Unreliable>,
    pub batch: usize,
    pub buckets: u32,
    pub refold_streams: usize,
}

impl World {
    pub fn new(logs: BTreeMap<LogId, Vec<Record>>) -> Self {
        let memory = MemoryStateStore::new();
        let state = Unreliable::new(memory.clone());
        Self { source: Scripted::new(logs), memory, state, batch: 3, buckets: 4, refold_streams: 2 }
    }

    pub fn with(logs: &[(&str, Vec<Record>)]) -> Self {
        Self::new(logs.iter().map(|(name, records)| (log(name), records.clone())).collect())
    }

    pub fn models(&self) -> Arc<dyn ModelStore> {
        let state: Arc<dyn StateStore> = self.state.clone();
        Arc::new(StateModelStore::new(state, "model").unwrap().with_buckets(self.buckets))
    }

    /// A new process: everything that was only in memory is gone.
    pub fn start(&self) -> Projector {
        let settings = ProjectorSettings::new(self.source.names())
            .unwrap()
            .with_batch_events(self.batch)
            .with_refold_streams(self.refold_streams);
        let source: Arc<dyn EventSource> = Arc::new(self.source.clone());
        let projections: Vec<Arc<dyn dcp_replay::Projection>> = vec![Arc::new(Sales), Arc::new(Stock)];
        Projector::new(settings, source, self.models(), projections, Arc::new(TokioClock::new())).unwrap()
    }

    pub async fn refold(&self, projector: &Projector) {
        let cut = self.source.ends(&self.source.names()).await.unwrap();
        projector.refold(&operation(), &cut).await.unwrap();
    }

    pub async fn total(&self) -> Total {
        ReadModel::new(self.models(), &sales()).row("total").await.unwrap().unwrap_or_default()
    }

    pub async fn levels(&self) -> BTreeMap<(ScopeId, StreamId), Level> {
        let rows = ReadModel::new(self.models(), &stock()).stream_rows().await.unwrap();
        let level = |(scope, stream, _, value): (_, _, _, Bytes)| ((scope, stream), postcard_level(&value));
        rows.into_iter().map(level).collect()
    }

    pub fn reference(&self) -> Reference {
        let logs: Vec<_> = self.source.names().into_iter().map(|log| (log.clone(), self.source.shown(&log))).collect();
        reference(&logs)
    }
}

fn postcard_level(value: &[u8]) -> Level {
    dcp_replay::model::decode(value).unwrap()
}

use std::collections::BTreeMap;
use std::path::PathBuf;

use dcp_core::clock::TokioClock;
use dcp_core::event::{StreamId, Version};
use dcp_core::fence::Term;
use dcp_core::ids::{HolderId, LinkId, RegionId, RunId, StepId};
use dcp_core::log::LogId;
use dcp_core::memory::{MemoryEventStore, MemoryStateStore};
use dcp_core::operation::{Operation, OperationKey};
use dcp_core::ownership::Epoch;
use dcp_core::ports::{CopyBatch, EventSource, EventSourceExt, EventStore, EventWriter, ReplayControl, WriterRole};
use dcp_core::position::LogIncarnation;
use dcp_replay::{Projector, ProjectorSettings, StateModelStore};

use super::*;
use crate::orders::{Home, Orders, PARTITIONS, expected, new_event, partition_of};

const LINES: u64 = 3_000;
/// The west's last line under epoch 1; those after [`MIRRORED`] arrive late, and those from
/// [`SENT_AGAIN`] on are in the other region's log, too.
const LAST_OF_WEST: u64 = 1_800;
const MIRRORED: u64 = 1_700;
const SENT_AGAIN: u64 = 1_750;

/// A store that mirrors the logs of both regions.
struct Mirrors {
    store: Arc<MemoryEventStore>,
    writer: Box<dyn EventWriter>,
    logs: Vec<LogId>,
    versions: BTreeMap<(LogId, StreamId), Version>,
}

impl Mirrors {
    async fn new() -> Self {
        let observer = RegionId::new("observer").unwrap();
        let store = Arc::new(MemoryEventStore::new(observer, LogIncarnation::from_bytes([1; 16])));
        let logs: Vec<LogId> = Home::ALL
            .into_iter()
            .flat_map(|home| Home::ALL.map(|origin| (home, origin)))
            .flat_map(|(home, origin)| {
                (0..PARTITIONS).map(move |partition| LogId::new(home.scope_id(), origin.region_id(), partition))
            })
            .collect();
        let role = WriterRole::Mirror(LinkId::new("link").unwrap());
        let writer = store.open_writer(&logs, role).await.unwrap();
        Self { store, writer, logs, versions: BTreeMap::new() }
    }

    async fn copy(&mut self, lines: impl Iterator<Item = OrderLine<'_>>, origin: Home, epoch: u64) {
        let mut batches: BTreeMap<LogId, Vec<Record>> = BTreeMap::new();
        for line in lines {
            let scope = line.home().unwrap().scope_id();
            let log = LogId::new(scope, origin.region_id(), partition_of(line.stock_code()));
            let event = new_event(&line).unwrap();
            let version = self.versions.entry((log.clone(), event.stream.clone())).or_insert(Version::NONE);
            *version = version.next();
            batches.entry(log).or_default().push(Record::of(event, Epoch::new(epoch), *version));
        }
        for (log, records) in batches {
            let after = self.store.end(&log).await.unwrap().prefix;
            self.writer.copy(CopyBatch::new(log, after, records)).await.unwrap();
        }
    }
}

fn orders() -> Orders {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/online-retail.csv.zst");
    Orders::bundled(&path, Some(LINES)).unwrap()
}

fn projector(mirrors: &Mirrors, models: &Arc<dyn ModelStore>) -> Projector {
    let settings = ProjectorSettings::new(mirrors.logs.clone()).unwrap();
    let source = Arc::clone(&mirrors.store) as Arc<dyn EventSource>;
    Projector::new(settings, source, Arc::clone(models), projections(), Arc::new(TokioClock::new())).unwrap()
}

fn models() -> Arc<dyn ModelStore> {
    Arc::new(StateModelStore::new(Arc::new(MemoryStateStore::new()), "models").unwrap())
}

fn operation() -> Operation {
    let key = OperationKey { run: RunId::new("run").unwrap(), step: StepId::new("step").unwrap() };
    Operation::for_tests(
        key,
        Term { issuer: Home::Central.region_id(), holder: HolderId::new("plane").unwrap(), revision: 1 },
    )
}

#[tokio::test(start_paused = true)]
async fn rows_that_were_built_from_logs_say_what_the_file_says() {
    let (orders, models) = (orders(), models());
    let mut mirrors = Mirrors::new().await;
    for home in Home::ALL {
        mirrors.copy(orders.iter().filter(|line| line.home().unwrap() == home), home, 1).await;
    }
    projector(&mirrors, &models).catch_up().await.unwrap();
    assert_eq!(read_models(models).await.unwrap(), expected(orders.iter()).unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_late_tail_and_copies_change_nothing_once_streams_are_folded_again() {
    let (orders, models) = (orders(), models());
    let mut mirrors = Mirrors::new().await;
    let of = |home: Home, from: u64, to: u64| {
        orders.iter().filter(move |line| line.home().unwrap() == home && (from..=to).contains(&line.number()))
    };
    mirrors.copy(of(Home::Central, 1, LINES), Home::Central, 1).await;
    mirrors.copy(of(Home::West, 1, MIRRORED), Home::West, 1).await;
    let projector = projector(&mirrors, &models);
    projector.catch_up().await.unwrap();
    mirrors.copy(of(Home::West, SENT_AGAIN, LINES), Home::Central, 2).await;
    projector.catch_up().await.unwrap();
    mirrors.copy(of(Home::West, MIRRORED + 1, LAST_OF_WEST), Home::West, 1).await;
    projector.catch_up().await.unwrap();

    let want = expected(orders.iter()).unwrap();
    let before = read_models(Arc::clone(&models)).await.unwrap();
    assert_eq!(before.sales, want.sales, "sales commute");
    assert_ne!(before.stock.chain_digest, want.stock.chain_digest, "the tail was late");
    let cut = mirrors.store.ends(&mirrors.logs).await.unwrap();
    projector.refold(&operation(), &cut).await.unwrap();
    assert_eq!(read_models(models).await.unwrap(), want);
}

#[tokio::test(start_paused = true)]
async fn a_line_in_a_scope_that_is_not_its_home_stops_the_projections() {
    let (orders, models) = (orders(), models());
    let mirrors = Mirrors::new().await;
    let line = orders.iter().find(|line| line.home().unwrap() == Home::West).unwrap();
    let log = LogId::new(Home::Central.scope_id(), Home::Central.region_id(), partition_of(line.stock_code()));
    let record = Record::of(new_event(&line).unwrap(), Epoch::GENESIS, Version::new(1));
    let after = mirrors.store.end(&log).await.unwrap().prefix;
    mirrors.writer.copy(CopyBatch::new(log, after, vec![record])).await.unwrap();
    let projector = projector(&mirrors, &models);
    projector.catch_up().await.unwrap();
    let stopped = projector.status().await.unwrap().stopped;
    assert_eq!(stopped.len(), 2);
    assert!(stopped.values().all(|reason| reason.contains("is at home elsewhere")), "{stopped:?}");
}

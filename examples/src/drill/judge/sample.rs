//! The evidence of a small run that passes: the west is lost after line 4, of which line 3 was not
//! mirrored and line 4 is in doubt; the centre takes lines 4 to 6; the west takes the rest at home.

use std::collections::BTreeMap;

use dcp_core::clock::Moment;
use dcp_core::digest::Digest;
use dcp_core::fence::Term;
use dcp_core::ids::{HolderId, RunId, SliceId, SliceRef, StepId};
use dcp_core::log::LogId;
use dcp_core::ownership::Evidence;
use dcp_core::ports::{Exposure, Facts, ReplayStatus, StoreIdentity};
use dcp_core::position::{Cut, LogEnd, LogIncarnation, PrefixDigest};
use dcp_core::runbook::{Direction, JournalEntry, Plan, Record, RunResult, Step, StepResult};

use super::gathered::Gathered;
use super::history::{Chains, Link, Story};
use super::logs::Logs;
use super::models_found::Found;
use super::table::{Row, StoreTable, prefix_of};
use super::told::{AckRow, Told};
use crate::drill::record::{Dark, FaultFact, Phase, RunRecord, Turns};
use crate::drill::stale::StaleReport;
use crate::event_store::StoreKind;
use crate::orders::{Figures, Home, ReadModels, SalesModel, StockModel};
use crate::region::RegionStatus;
use crate::verdict::StaleWrites;

pub(super) const SECOND: u64 = 1_000_000_000;
pub(super) const LINES: u32 = 9;
/// Log numbers: the west's own log of its scope, the centre's of the same, the centre's own.
pub(super) const WEST: usize = 0;
pub(super) const TAKEN: usize = 1;
pub(super) const CENTRAL: usize = 3;

pub(super) fn logs() -> Logs {
    Logs::new(Home::ALL.map(|home| (home, SliceId::new("s10").unwrap(), [0])))
}

pub(super) fn slice(home: Home) -> SliceRef {
    SliceRef::new(home.scope_id(), SliceId::new("s10").unwrap())
}

pub(super) fn row(line: u32, epoch: u64, version: u64, rank: u64) -> Row {
    let digest = Digest::of(format!("{line} {epoch} {version}").as_bytes());
    Row { line, stream: u32::from(line == LINES), epoch, version, rank, digest, sound: true }
}

pub(super) fn table() -> StoreTable {
    let mut table = StoreTable::empty(&logs());
    table.logs[WEST] = [(1, 1), (2, 1), (3, 1), (4, 1), (7, 3), (8, 3)].into_iter().zip(1..).map(rows).collect();
    table.logs[TAKEN] = [(4, 2), (5, 2), (6, 2)].into_iter().zip(1..).map(rows).collect();
    table.logs[CENTRAL] = vec![row(9, 1, 1, 1)];
    table
}

fn rows(((line, epoch), number): ((u32, u64), u64)) -> Row {
    row(line, epoch, number, number)
}

fn ack(line: u32, log: usize, epoch: u64, rank: u64, by: Home, at_seconds: f64) -> AckRow {
    let at_ns = u64::try_from(std::time::Duration::from_secs_f64(at_seconds).as_nanos()).unwrap();
    AckRow { line, log, epoch, rank, by, sent_ns: at_ns - SECOND / 100, at_ns }
}

pub(super) fn told() -> Told {
    let acks = vec![
        ack(1, WEST, 1, 1, Home::West, 0.1),
        ack(2, WEST, 1, 2, Home::West, 0.2),
        ack(3, WEST, 1, 3, Home::West, 0.3),
        ack(4, TAKEN, 2, 1, Home::Central, 7.8),
        ack(5, TAKEN, 2, 2, Home::Central, 7.9),
        ack(6, TAKEN, 2, 3, Home::Central, 8.0),
        ack(7, WEST, 3, 5, Home::West, 9.0),
        ack(8, WEST, 3, 6, Home::West, 9.1),
        ack(9, CENTRAL, 1, 1, Home::Central, 0.1),
    ];
    Told { acks, in_doubt: [4].into(), late: Vec::new() }
}

pub(super) fn cut(log: usize, count: u64) -> Cut {
    let prefix = prefix_of(&table().logs[log], count).unwrap_or(PrefixDigest::EMPTY);
    let end = LogEnd { incarnation: LogIncarnation::from_bytes([1; 16]), last: None, prefix };
    [(logs().entry(log).id.clone(), end)].into_iter().collect()
}

pub(super) fn run(name: &str) -> RunId {
    RunId::new(name).unwrap()
}

fn link(epoch: u64, owner: Home, claim: Option<&str>, evidence: Evidence) -> Link {
    Link { epoch, owner, run: claim.map(run), evidence }
}

pub(super) fn chains() -> Chains {
    let run_out = Evidence::LeaseRunOut {
        lease_revision: 5,
        last_sequence: 3,
        waited_nanos: 5 * SECOND,
        mirrored_ends: cut(WEST, 2),
    };
    let west = vec![
        link(1, Home::West, None, Evidence::Genesis),
        link(2, Home::Central, Some("blackout"), run_out),
        link(3, Home::West, Some("switchover"), Evidence::Sealed { ends: cut(TAKEN, 3) }),
    ];
    let central = vec![link(1, Home::Central, None, Evidence::Genesis)];
    [(slice(Home::West), west), (slice(Home::Central), central)].into()
}

/// A closed run: each step with its seconds of intent and outcome, and its facts.
pub(super) fn records(kind: &str, steps: Vec<(&str, f64, f64, Facts)>) -> Vec<Record> {
    let at = |seconds: f64| Moment::from_nanos(0).after(std::time::Duration::from_secs_f64(seconds));
    let (begun, ended) = (steps[0].1, steps[steps.len() - 1].2);
    let data = steps.iter().map(|(id, ..)| Step::new(StepId::new(id).unwrap(), 1, "act")).collect();
    let plan = Plan::new(kind, "on", data).unwrap();
    let term = Term { issuer: Home::Central.region_id(), holder: HolderId::new("plane").unwrap(), revision: 1 };
    let digest = plan.digest();
    let (run, direction) = (run(kind), Direction::Forward);
    let opened = JournalEntry::RunOpened { run: run.clone(), plan, digest, term };
    let mut records = vec![Record { at: at(begun), entry: opened }];
    for (id, begun, ended, facts) in steps {
        let step = StepId::new(id).unwrap();
        let (run, nonce) = (run.clone(), Digest::ZERO);
        let intent = JournalEntry::Intent { run: run.clone(), step: step.clone(), direction, nonce, attempt: 1 };
        let result = StepResult::Done { facts };
        records.push(Record { at: at(begun), entry: intent });
        records.push(Record { at: at(ended), entry: JournalEntry::Outcome { run, step, direction, result } });
    }
    records.push(Record { at: at(ended), entry: JournalEntry::RunClosed { run, result: RunResult::Done } });
    records
}

pub(super) fn story() -> Story {
    let west: LogId = logs().entry(WEST).id.clone();
    let exposure = BTreeMap::from([(west.clone(), Exposure { declared_seconds: Some(1.5), declared_records: 3 })]);
    let classes = BTreeMap::from([(west.clone(), "intact")]);
    let unreplicated = BTreeMap::from([(west.clone(), 2_u64)]);
    let mut all = records(
        "blackout",
        vec![
            ("declare-exposure", 6.0, 6.1, Facts::new().with("exposure", &exposure).unwrap()),
            ("take-ownership", 8.0, 8.2, Facts::new()),
            ("open-logs", 8.3, 8.5, Facts::new()),
            ("confirm-health", 8.5, 9.5, Facts::new()),
        ],
    );
    all.extend(records(
        "rejoin",
        vec![
            ("seal-returned", 9.6, 9.7, Facts::new().with("ends", &cut(WEST, 4)).unwrap()),
            (
                "classify",
                9.7,
                9.8,
                Facts::new().with("classes", &classes).unwrap().with("unreplicated", &unreplicated).unwrap(),
            ),
        ],
    ));
    Story::of(Home::Central, &all)
}

pub(super) fn models() -> ReadModels {
    let total = Figures { lines: 9, invoices: 1, cancelled_lines: 0, revenue: "1".to_owned() };
    ReadModels {
        sales: SalesModel { total, by_country: BTreeMap::new() },
        stock: StockModel { items: 2, levels_digest: "0".repeat(64), chain_digest: "0".repeat(64) },
    }
}

pub(super) fn gathered() -> Gathered {
    Gathered {
        logs: logs(),
        lines: LINES,
        stores: Home::ALL.map(|home| (home, table())).into(),
        told: told(),
        chains: chains(),
        story: story(),
        models: Home::ALL.map(|home| (home, models())).into(),
        expected: models(),
        folded: Home::ALL.map(|home| (home, Ok(models()))).into(),
        found: Home::ALL.map(|home| (home, vec![Found::sample("a fold", "a fold")])).into(),
    }
}

fn status(late: u64) -> RegionStatus {
    let mut counts = dcp_core::ports::DeliveryCounts::default();
    (counts.new, counts.late) = (9, late);
    let mut replay = ReplayStatus::new();
    replay.deliveries.insert(dcp_core::ids::ProjectionId::new("sales").unwrap(), counts);
    RegionStatus {
        plane: dcp_core::control_plane::PlaneStatus::default(),
        links: BTreeMap::new(),
        replay,
        store: StoreIdentity { incarnation: LogIncarnation::from_bytes([1; 16]), commit_sequence: 1 },
        held: crate::region::Held::default(),
        open: BTreeMap::new(),
        records: 0,
    }
}

pub(super) fn record() -> RunRecord {
    let writes = ["append", "guard", "switchover", "store"].map(|resource| StaleWrites {
        resource: resource.to_owned(),
        attempted: 120,
        refused: 120,
        reasons: [("stale".to_owned(), 120)].into(),
        in_doubt: 0,
    });
    let stale = StaleReport { writes: writes.into(), ..StaleReport::default() };
    RunRecord {
        run: run("drill"),
        seed: 7,
        ttl_ms: 5_000,
        data: Digest::ZERO,
        data_path: None,
        store: StoreKind::Embedded,
        dark: Some(Dark::Pause),
        turns: Turns { lines: 9, dark_at: 3, return_at: 6, tail: 1 },
        phase: Phase::Ended,
        fault: Some(FaultFact {
            at_ns: SECOND,
            acknowledged: 3,
            mirrored: 2,
            held: Some(logs().entry(WEST).id.to_string()),
            happened: Some(Dark::Pause),
        }),
        taken_over_in_one: true,
        stale: Some(stale),
        seconds_before: 12.5,
        resumes: 1,
        last_status: Home::ALL.map(|home| (home.region().to_owned(), status(u64::from(home == Home::Central)))).into(),
        peak_memory_mb: BTreeMap::new(),
    }
}

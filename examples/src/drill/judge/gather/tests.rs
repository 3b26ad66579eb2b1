use std::fs;
use std::io::Write as _;
use std::time::Duration;

use dcp_core::clock::{Clock, SeededEntropy, SystemClock};
use dcp_core::event::Placed;
use dcp_core::ids::LinkId;
use dcp_core::log::LogId;
use dcp_core::ports::{CopyBatch, EventSource, EventStore, OwnerBatch, ReadFrom, WriterRole};
use dcp_core::position::PrefixDigest;
use dcp_core::state::embedded::{EmbeddedStateSettings, EmbeddedStateStore};
use dcp_core::store::embedded::{EmbeddedEventSettings, EmbeddedEventStore};
use dcp_replay::{Projector, ProjectorSettings};

use super::super::{judge, sample};
use super::*;
use crate::drill::export::export;
use crate::orders::{new_event, partition_of, projections};
use crate::producer::evidence::Ack;
use crate::verdict::Judgement;

const DATA: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,A,POT,6,2010,1.5,,EIRE
1,B,POT,-2,2010,1.5,,EIRE
2,A,POT,3,2010,1.5,,Japan
3,A,POT,4,2010,1.5,,EIRE
";

fn state(folder: &Path, file: &str, region: &RegionId) -> Arc<EmbeddedStateStore> {
    fs::create_dir_all(folder).unwrap();
    Arc::new(EmbeddedStateStore::open(&EmbeddedStateSettings::new(folder.join(file), region.clone())).unwrap())
}

/// Appends each line at its home, keeps the acknowledgements, and copies the record to the other.
async fn produce(dir: &Path, treaty: &Treaty, orders: &Orders, stores: &BTreeMap<Home, Arc<EmbeddedEventStore>>) {
    let genesis = Foundation::at(dir).genesis().unwrap();
    fs::create_dir_all(dir.join("acks")).unwrap();
    let mut acks = Home::ALL.map(|home| (home, Vec::new()));
    for line in orders.iter() {
        let home = line.home().unwrap();
        let log = LogId::new(home.scope_id(), home.region_id(), partition_of(line.stock_code()));
        let slice = treaty.scope(log.scope()).unwrap().slice_of(log.partition()).unwrap();
        let grant = genesis.iter().find(|one| one.slice.scope == *log.scope() && one.slice.slice == *slice).unwrap();
        let logs = std::slice::from_ref(&log);
        let writer = stores[&home].open_writer(logs, WriterRole::Owner(grant.clone())).await.unwrap();
        let batch = OwnerBatch::new(log.clone(), vec![new_event(&line).unwrap()]);
        let answer = writer.append(batch).await.unwrap().acks.remove(0);
        let ack = Ack {
            id: answer.id,
            line: line.number(),
            log: answer.log,
            position: answer.position.rank(),
            epoch: answer.epoch,
            by: home.region_id(),
            sent_ns: line.number(),
            at_ns: line.number() + 1,
        };
        let (_, text) = acks.iter_mut().find(|(one, _)| *one == home).unwrap();
        writeln!(text, "{}", serde_json::to_string(&ack).unwrap()).unwrap();
    }
    for (home, text) in acks {
        fs::write(dir.join("acks").join(format!("{}.jsonl", home.region())), text).unwrap();
        fs::write(dir.join("acks").join(format!("{}.in_doubt.jsonl", home.region())), "").unwrap();
        fs::write(dir.join("acks").join(format!("{}.late.jsonl", home.region())), "").unwrap();
    }
    for (home, other) in [(Home::West, Home::Central), (Home::Central, Home::West)] {
        for log in stores[&home].logs().await.unwrap().into_iter().filter(|log| *log.origin() == home.region_id()) {
            let mut reader = stores[&home].open_reader(&log, ReadFrom::Start).await.unwrap();
            let page: Vec<Placed> = reader.next(100, Duration::ZERO).await.unwrap();
            let records = page.into_iter().map(|placed| placed.record).collect();
            let role = WriterRole::Mirror(LinkId::new("link").unwrap());
            let writer = stores[&other].open_writer(std::slice::from_ref(&log), role).await.unwrap();
            writer.copy(CopyBatch::new(log, PrefixDigest::EMPTY, records)).await.unwrap();
        }
    }
}

/// The folder of a run that produced everything at home and lost nobody.
async fn folder(orders: &Orders) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let foundation = Foundation::at(dir);
    foundation.create(Duration::from_secs(5), &SeededEntropy::new(1, "keys")).unwrap();
    let treaty = foundation.treaty().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());

    let witness = state(&foundation.witness_folder(), "state.redb", &RegionId::new("witness").unwrap());
    let claims = StateStoreWitness::new(Arc::clone(&witness) as _, Arc::clone(&treaty));
    for record in foundation.genesis().unwrap() {
        claims.claim(&[record], None).await.unwrap();
    }
    witness.close().await;

    let open = |home: Home| {
        let path = foundation.region_folder(&home.region_id()).join("events.redb");
        let entropy = Arc::new(SeededEntropy::new(1, home.region()));
        let store = EmbeddedEventStore::open(&EmbeddedEventSettings::new(path, home.region_id(), entropy)).unwrap();
        (home, Arc::new(store))
    };
    let stores = BTreeMap::from(Home::ALL.map(open));
    produce(dir, &treaty, orders, &stores).await;
    for (home, store) in stores {
        let path = foundation.region_folder(&home.region_id());
        let rows = state(&path, "models.redb", &home.region_id());
        let models = Arc::new(StateModelStore::new(Arc::clone(&rows) as _, "models").unwrap());
        let logs = treaty.regions().iter().flat_map(|region| treaty.logs_by_origin(region)).collect();
        let settings = ProjectorSettings::new(logs).unwrap();
        let source = Arc::clone(&store) as Arc<dyn EventSource>;
        let projector =
            Projector::new(settings, source, Arc::clone(&models) as _, projections(), Arc::clone(&clock)).unwrap();
        projector.catch_up().await.unwrap();
        let evidence = ModelEvidence::in_folder(&path);
        evidence.note(&projector, &models, 1, crate::region::When::Stop).await.unwrap();
        drop(models);
        state(&path, "state.redb", &home.region_id()).close().await;
        drop(projector);
        rows.close().await;
        store.close().await;
    }
    export(dir).await.unwrap();
    folder
}

fn orders() -> Orders {
    Orders::read(DATA.as_bytes(), None).unwrap()
}

#[tokio::test]
async fn a_run_on_disk_without_a_blackout_shows_no_violation_and_proves_too_little() {
    let folder = folder(&orders()).await;
    let mut record = sample::record();
    (record.dark, record.fault, record.stale) = (None, None, None);
    let judged = judge(folder.path(), &record, &orders()).await.unwrap();
    assert_eq!(judged.verdict.verdict, Judgement::Inconclusive, "{:?}", judged.reasons);
    let held: Vec<(&str, bool)> = judged.verdict.invariants.iter().map(|one| (one.id.as_str(), one.held)).collect();
    // Without a takeover there is nothing that these three could be checked on.
    assert!(held.iter().all(|(id, held)| *held != ["F2", "F4", "M2"].contains(id)), "{held:?}");
    assert_eq!(judged.verdict.read_models.len(), 2);
    assert_eq!(judged.verdict.read_models[&Home::West.region_id()].sales.total.lines, 4);
}

#[tokio::test]
async fn a_process_that_left_other_models_than_its_store_folds_to_is_seen() {
    let folder = folder(&orders()).await;
    let west = Foundation::at(folder.path()).region_folder(&Home::West.region_id());
    let path = west.join("models-found").join("000001.stop.json");
    let noted = fs::read_to_string(&path).unwrap();
    let r2 = async |noted: &str| {
        fs::write(&path, noted).unwrap();
        let judged = judge(folder.path(), &sample::record(), &orders()).await.unwrap();
        let one = &judged.verdict.invariants[8];
        assert_eq!(one.id, "R2");
        (one.held, one.checked)
    };
    assert_eq!(r2(&noted).await, (true, 4));
    assert_eq!(r2(&noted.replace("\"lines\": 4", "\"lines\": 5")).await, (false, 4));
    // As far as it had come, and no farther: with nothing applied there is nothing to compare.
    let log = LogId::new(Home::Central.scope_id(), Home::Central.region_id(), partition_of("A"));
    assert_eq!(r2(&noted.replace(&format!("\"{log}\": 1"), &format!("\"{log}\": 0"))).await, (false, 4));
}

#[tokio::test]
async fn evidence_that_says_otherwise_fails_the_run_on_disk() {
    let folder = folder(&orders()).await;
    let path = folder.path().join("acks/eu-west-2.jsonl");
    let told = fs::read_to_string(&path).unwrap();
    fs::write(&path, told.replace("\"position\":1", "\"position\":7")).unwrap();
    let judged = judge(folder.path(), &sample::record(), &orders()).await.unwrap();
    assert_eq!(judged.verdict.verdict, Judgement::Failed);
    assert!(judged.reasons[0].starts_with("F3 violated"), "{:?}", judged.reasons);
    fs::write(&path, told.replacen("\"line\":1", "\"line\":2", 1)).unwrap();
    let error = judge(folder.path(), &sample::record(), &orders()).await.unwrap_err();
    assert_eq!(error.code(), "bad-evidence");
    fs::remove_file(&path).unwrap();
    assert_eq!(judge(folder.path(), &sample::record(), &orders()).await.unwrap_err().code(), "unreadable-file");
}

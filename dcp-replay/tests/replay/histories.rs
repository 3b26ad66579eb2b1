//! Random histories, arrivals, crashes and faults at two regions.

use std::collections::BTreeMap;

use dcp_core::event::Record;
use dcp_core::log::LogId;
use dcp_core::ports::ReplayControl;
use dcp_replay::ReadModel;
use proptest::prelude::*;

use crate::orders::{sales, stock};
use crate::unreliable::Fault;
use crate::world::{World, log, record};

const STREAMS: usize = 5;
const PARTITIONS: usize = 2;

/// Lines that one owner takes, and how many of its last the next owner is sent again.
#[derive(Debug, Clone)]
struct Reign {
    lines: Vec<(usize, i8)>,
    in_doubt: usize,
}

#[derive(Debug, Clone)]
enum Happening {
    Show { log: usize, count: usize },
    Step,
    Restart { repeats: usize },
    Faults(Vec<u8>),
    Refold,
}

fn reign() -> impl Strategy<Value = Reign> {
    let lines = prop::collection::vec((0..STREAMS, any::<i8>()), 0..15);
    (lines, 0_usize..4).prop_map(|(lines, in_doubt)| Reign { lines, in_doubt })
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => (0..2 * PARTITIONS, 1_usize..8).prop_map(|(log, count)| Happening::Show { log, count }),
        6 => Just(Happening::Step),
        1 => (0_usize..4).prop_map(|repeats| Happening::Restart { repeats }),
        1 => prop::collection::vec(0_u8..4, 1..4).prop_map(Happening::Faults),
        1 => Just(Happening::Refold),
    ]
}

fn log_of(origin: usize, stream: usize) -> LogId {
    log(&format!("orders@{}/{}", ["w", "c"][origin], stream % PARTITIONS))
}

/// The logs that these reigns leave behind: W under epochs 1, 3, ..., C under 2, 4, ...
fn logs(reigns: &[Reign]) -> BTreeMap<LogId, Vec<Record>> {
    let mut logs: BTreeMap<LogId, Vec<Record>> = BTreeMap::new();
    for origin in 0..2 {
        for stream in 0..STREAMS {
            logs.entry(log_of(origin, stream)).or_default();
        }
    }
    let mut versions: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    let mut next_id = 0;
    let mut in_doubt: Vec<(u64, usize, i8)> = Vec::new();
    for (epoch, reign) in (1..).zip(reigns) {
        let origin = usize::from(epoch % 2 == 0);
        // Lines in doubt are sent again first; then this reign's own.
        let mut lines = std::mem::take(&mut in_doubt);
        for (stream, quantity) in &reign.lines {
            next_id += 1;
            lines.push((next_id, *stream, *quantity));
        }
        let kept = lines.len().saturating_sub(reign.in_doubt);
        for (index, (id, stream, quantity)) in lines.into_iter().enumerate() {
            let held = &mut *logs.entry(log_of(origin, stream)).or_default();
            let name = format!("s{stream}");
            // A log holds an id once: the owner answers with the place that it has.
            if !held.iter().any(|other| other.id == record(id, "", 0, 0, 0).id) {
                let version = versions.entry((origin, stream)).or_default();
                *version += 1;
                held.push(record(id, &name, epoch, *version, i64::from(quantity)));
            }
            if index >= kept {
                in_doubt.push((id, stream, quantity));
            }
        }
    }
    logs
}

async fn live(world: &World, happenings: &[Happening]) {
    let names = world.source.names();
    let mut projector = world.start();
    for happening in happenings {
        match happening {
            Happening::Show { log, count } => {
                world.source.show(&names[*log], *count);
            }
            Happening::Step => {
                let _ = projector.step().await;
                world.state.land_held().await;
            }
            Happening::Restart { repeats } => {
                world.state.heal();
                world.memory.crash();
                world.memory.reopen();
                world.source.repeat(*repeats);
                projector = world.start();
                never_apart(world, &projector).await;
            }
            Happening::Faults(faults) => {
                let all = [Fault::None, Fault::Refused, Fault::DoubtDone, Fault::DoubtNotDone];
                world.state.next_commits(faults.iter().map(|fault| all[usize::from(*fault)]));
            }
            Happening::Refold => {
                let names = world.source.names();
                let cut = dcp_core::ports::EventSource::ends(&world.source, &names).await.unwrap();
                let _ = projector.refold(&crate::world::operation(), &cut).await;
            }
        }
    }
    world.state.heal();
    world.source.show_all();
    let projector = world.start();
    projector.catch_up().await.unwrap();
    never_apart(world, &projector).await;
    let total = world.total().await;
    assert_eq!(total, world.reference().total, "sales need no refold");
    let status = projector.status().await.unwrap();
    assert!(status.stopped.is_empty(), "{:?}", status.stopped);
    let reference = world.reference();
    for counts in status.deliveries.values() {
        assert_eq!(counts.new + counts.late + counts.copy, reference.records);
        assert_eq!((counts.copy, counts.conflict, counts.applied_ahead), (reference.copies, 0, 0));
    }
    world.refold(&projector).await;
    assert_eq!(projector.status().await.unwrap().dirty[&stock()], 0);
    assert_eq!(world.levels().await, reference.levels);
    assert_eq!(world.total().await, reference.total);
}

/// What the model holds is what the positions and counts say, as committed.
async fn never_apart(world: &World, projector: &dcp_replay::Projector) {
    let status = projector.status().await.unwrap();
    let counts = status.deliveries[&sales()];
    let applied: u64 = status.applied[&sales()].values().sum();
    assert_eq!(applied, counts.new + counts.late + counts.copy);
    assert_eq!(world.total().await.lines, counts.new + counts.late);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn both_regions_come_to_the_canonical_models(
        reigns in prop::collection::vec(reign(), 1..5),
        west in prop::collection::vec(happening(), 0..60),
        east in prop::collection::vec(happening(), 0..60),
        batch in 1_usize..9,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut digests = Vec::new();
            for happenings in [west, east] {
                let mut world = World::new(logs(&reigns));
                world.batch = batch;
                live(&world, &happenings).await;
                for id in [sales(), stock()] {
                    digests.push(ReadModel::new(world.models(), &id).digest().await.unwrap());
                }
            }
            assert_eq!(digests[..2], digests[2..], "equal models have equal digests");
        });
    }
}

mod world;

use std::collections::BTreeSet;
use std::path::Path;

use dcp_core::clock::TokioClock;
use dcp_core::event::EventId;

use self::world::{Behaviour, World};
pub(in crate::producer) use self::world::{central, treaty_of, west};
use super::super::evidence::{Ack, Doubt};
use super::*;
use crate::orders::{Home, PARTITIONS, event_id, partition_of};

const LINES: u64 = 400;

/// A producer with its world; a clone of the orders and the folder make a second one on it.
struct Stage {
    world: Arc<World>,
    orders: Arc<Orders>,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let mut text = format!("{}\n", crate::orders::line::COLUMNS.join(","));
        for line in 1..=LINES {
            // Every tenth line is at home elsewhere.
            let country = if line % 10 == 0 { "Japan" } else { "EIRE" };
            text += &format!("{},{},,1,2010,1,,{country}\n", line / 3, line % 37);
        }
        let orders = Arc::new(Orders::read(text.as_bytes(), None).unwrap());
        let folder = tempfile::tempdir().unwrap();
        Self { world: World::new(Arc::new(TokioClock::new())), orders, folder }
    }

    fn settings(&self) -> ProducerSettings {
        ProducerSettings::new(Home::West, Arc::clone(&self.world.treaty), self.folder.path().join("acks"))
            .with_batch_lines(3)
    }

    fn open(&self, settings: ProducerSettings) -> Result<Producer, Error> {
        let clock = &self.world.clock;
        let orders = Arc::clone(&self.orders);
        Producer::open(settings, orders, self.world.endpoints(), Arc::clone(clock), Arc::clone(clock))
    }

    fn producer(&self) -> Producer {
        self.open(self.settings()).unwrap()
    }

    fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Vec<T> {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        Path::join(self.folder.path(), format!("acks/eu-west-2{name}.jsonl"))
    }

    fn acks(&self) -> Vec<Ack> {
        self.read("")
    }

    fn doubts(&self) -> Vec<Doubt> {
        self.read(".in_doubt")
    }

    fn own_lines(&self) -> Vec<u64> {
        (1..=LINES).filter(|line| line % 10 != 0).collect()
    }

    /// Partitions that some own line belongs to.
    fn busy_partitions(&self) -> u64 {
        let own = self.own_lines().into_iter().filter_map(|line| self.orders.line(line));
        own.map(|line| partition_of(line.stock_code())).collect::<BTreeSet<_>>().len() as u64
    }

    /// Every own line is acknowledged once and held; twice only if it was in doubt; in each
    /// partition the canonical order, the older epoch's log first, is the file's.
    fn assert_kept(&self) {
        let mut lines: Vec<u64> = self.acks().iter().map(|ack| ack.line).collect();
        lines.sort_unstable();
        assert_eq!(lines, self.own_lines());
        let doubts: BTreeSet<EventId> = self.doubts().iter().map(|doubt| doubt.id).collect();
        for partition in 0..PARTITIONS {
            let (old, new) = (self.world.log(partition, &west()), self.world.log(partition, &central()));
            let copies: BTreeSet<&EventId> = new.iter().filter(|id| old.contains(id)).collect();
            assert!(copies.iter().all(|id| doubts.contains(*id)), "a copy of a line that was not in doubt");
            let canonical: Vec<EventId> =
                old.iter().chain(new.iter().filter(|id| !copies.contains(id))).copied().collect();
            let line_of = |line: &u64| self.orders.line(*line).unwrap();
            let own = self.own_lines().into_iter();
            let expected: Vec<EventId> =
                own.filter(|line| partition_of(line_of(line).stock_code()) == partition).map(event_id).collect();
            assert_eq!(canonical, expected, "partition {partition}");
        }
    }

    async fn sleep(&self, milliseconds: u64) {
        self.world.clock.sleep(Duration::from_millis(milliseconds)).await;
    }
}

async fn finish(producer: Producer) -> Result<(), Error> {
    producer.run(&CancellationToken::new()).await
}

#[tokio::test(start_paused = true)]
async fn every_line_is_sent_once_in_order_and_noted() {
    let stage = Stage::new();
    let producer = stage.producer();
    let progress = producer.progress();
    finish(producer).await.unwrap();
    stage.assert_kept();
    assert!(stage.doubts().is_empty());
    let progress = progress.borrow();
    assert!(progress.is_done());
    assert_eq!((progress.own_lines, progress.complete_to, progress.in_doubt_batches), (360, LINES, 0));
    assert_eq!(progress.first_acks.len(), 4);
    assert!(stage.acks().iter().all(|ack| ack.by == west() && ack.epoch == Epoch::GENESIS && ack.at_ns > ack.sent_ns));
}

#[tokio::test(start_paused = true)]
async fn the_gate_holds_lines_back_and_lets_them_go() {
    let stage = Stage::new();
    let producer = stage.producer();
    let (gate, mut progress) = (producer.gate(), producer.progress());
    gate.hold(100);
    let story = async {
        let held = progress.wait_for(|progress| progress.complete_to >= 100).await.unwrap().clone();
        assert_eq!((held.acknowledged, held.complete_to), (90, 100));
        stage.sleep(60_000).await;
        assert_eq!(stage.acks().len(), 90, "nothing passes");
        gate.release();
    };
    let (ran, ()) = tokio::join!(finish(producer), story);
    ran.unwrap();
    stage.assert_kept();
}

// Holds at a third, makes the west do something, lets the producer go on, and after some seconds
// gives the slices to the other region.
async fn dark(behaviour: Behaviour) -> (Stage, Progress) {
    let stage = Stage::new();
    let producer = stage.producer();
    let (gate, mut progress) = (producer.gate(), producer.progress());
    gate.hold(130);
    let story = async {
        progress.wait_for(|progress| progress.complete_to >= 130).await.unwrap();
        stage.world.set(&west(), behaviour);
        gate.release();
        stage.sleep(6_000).await;
        let before = progress.borrow().acknowledged;
        stage.world.take_over(Home::Central, &[central()]);
        let claimed = stage.world.clock.now();
        progress.wait_for(|progress| progress.acknowledged > before).await.unwrap();
        let after = stage.world.clock.now().since(claimed);
        assert!(after < Duration::from_millis(700), "the survivor was found after {after:?}");
    };
    let (ran, ()) = tokio::join!(finish(producer), story);
    ran.unwrap();
    stage.assert_kept();
    let end = progress.borrow().clone();
    assert!(end.is_done());
    let by = |region: RegionId| end.first_acks.iter().filter(|first| first.by == region).count();
    assert_eq!((by(west()), by(central())), (4, 4));
    (stage, end)
}

#[tokio::test(start_paused = true)]
async fn a_dark_owner_is_left_for_the_next_one() {
    let (stage, end) = dark(Behaviour::Dark).await;
    assert_eq!(end.in_doubt_batches, stage.busy_partitions(), "one batch a partition was in flight");
    let doubt = &stage.doubts()[0];
    assert_eq!((doubt.by.clone(), doubt.epoch), (Some(west()), Some(Epoch::GENESIS)));
    let served = stage.world.requests(&west());
    assert!(served < 200, "a silent region is asked and not sent to: {served} requests");
}

#[tokio::test(start_paused = true)]
async fn what_a_silent_owner_applied_becomes_a_copy() {
    let (stage, _) = dark(Behaviour::AppliesInSilence).await;
    let copies = (0..PARTITIONS).map(|partition| {
        let old = stage.world.log(partition, &west());
        stage.world.log(partition, &central()).iter().filter(|id| old.contains(id)).count()
    });
    assert!(copies.sum::<usize>() > 0);
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_refuses_is_left_without_doubt() {
    let (stage, _) = dark(Behaviour::Fails(Error::fenced("lease-ran-out", "the lease ran out"))).await;
    assert!(stage.doubts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_does_not_know_is_left_with_doubt_noted_once() {
    for behaviour in [Behaviour::InDoubtApplied, Behaviour::InDoubtLost] {
        let (stage, end) = dark(behaviour).await;
        assert_eq!(end.in_doubt_batches, stage.busy_partitions());
        assert!(stage.doubts().len() <= PARTITIONS as usize * 3, "once for each region and epoch");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_not_counted() {
    let (stage, _) = dark(Behaviour::AnswersAfter(Duration::from_millis(500))).await;
    let late = |ack: &Ack| ack.at_ns - ack.sent_ns > 500_000_000;
    assert!(!stage.acks().iter().any(late));
    assert!(!stage.doubts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_only_becomes_slow_keeps_its_lines() {
    let stage = Stage::new();
    stage.world.set(&west(), Behaviour::AnswersAfter(Duration::from_secs(2)));
    let producer = stage.producer();
    let story = async {
        stage.sleep(3_000).await;
        stage.world.set(&west(), Behaviour::Answers);
    };
    let (ran, ()) = tokio::join!(finish(producer), story);
    ran.unwrap();
    stage.assert_kept();
    assert_eq!(stage.world.requests(&central()), 0);
}

// The west is isolated and, against the rules, goes on acknowledging after the takeover.
async fn isolated(settings: fn(ProducerSettings) -> ProducerSettings) -> Stage {
    let stage = Stage::new();
    let producer = stage.open(settings(stage.settings())).unwrap();
    let (gate, mut progress) = (producer.gate(), producer.progress());
    gate.hold(130);
    let story = async {
        progress.wait_for(|progress| progress.complete_to >= 130).await.unwrap();
        stage.world.take_over(Home::Central, &[central()]);
        stage.sleep(1_000).await;
        gate.release();
    };
    let (ran, ()) = tokio::join!(finish(producer), story);
    ran.unwrap();
    stage
}

#[tokio::test(start_paused = true)]
async fn even_partitions_stay_with_a_home_that_acknowledges() {
    let stage = isolated(ProducerSettings::preferring_home).await;
    for ack in stage.acks().iter().filter(|ack| ack.line > 130) {
        let expected = if ack.log.partition() % 2 == 0 { west() } else { central() };
        assert_eq!(ack.by, expected, "line {}", ack.line);
    }
}

#[tokio::test(start_paused = true)]
async fn without_preference_every_partition_follows_the_highest_epoch() {
    let stage = isolated(|settings| settings).await;
    assert!(stage.acks().iter().filter(|ack| ack.line > 130).all(|ack| ack.by == central()));
}

#[tokio::test(start_paused = true)]
async fn a_slice_that_goes_home_is_followed() {
    let stage = Stage::new();
    stage.world.take_over(Home::Central, &[west(), central()]);
    let producer = stage.producer();
    let (gate, mut progress) = (producer.gate(), producer.progress());
    gate.hold(130);
    let story = async {
        progress.wait_for(|progress| progress.complete_to >= 130).await.unwrap();
        stage.world.take_over(Home::West, &[west(), central()]);
        gate.release();
    };
    let (ran, ()) = tokio::join!(finish(producer), story);
    ran.unwrap();
    assert!(stage.acks().iter().all(|ack| (ack.by == west()) == (ack.line > 130)));
    assert!(stage.doubts().is_empty(), "a planned move leaves nothing in doubt");
}

#[tokio::test(start_paused = true)]
async fn after_a_hard_kill_it_goes_on_where_it_was() {
    let stage = Stage::new();
    let producer = stage.producer();
    let mut progress = producer.progress();
    // Dropped in the middle, as a kill would leave it; what was in flight is in the log.
    tokio::select! {
        biased;
        _ = progress.wait_for(|progress| progress.acknowledged > 100) => {}
        _ = finish(producer) => unreachable!("it was to be killed before the end"),
    }
    // A sync under way still ends.
    stage.sleep(50).await;
    let noted = stage.acks();
    let text = std::fs::read_to_string(stage.path("")).unwrap();
    // Torn within the last line.
    std::fs::write(stage.path(""), &text[..text.len() - 10]).unwrap();
    let producer = stage.producer();
    let found = producer.progress().borrow().clone();
    assert_eq!(found.acknowledged, noted.len() as u64 - 1);
    assert!(!found.first_acks.is_empty());
    finish(producer).await.unwrap();
    stage.assert_kept();
    let positions = |acks: &[Ack]| acks.iter().map(|ack| (ack.line, ack.position)).collect::<BTreeSet<_>>();
    assert!(positions(&stage.acks()).is_superset(&positions(&noted)), "acknowledged positions are unchanged");
    let doubts = stage.doubts();
    assert!(doubts.len() <= PARTITIONS as usize * 3 && doubts.iter().all(|doubt| doubt.by.is_none()));
    let done = stage.producer();
    assert!(done.progress().borrow().is_done());
    finish(done).await.unwrap();
    assert_eq!(stage.doubts(), doubts, "where nothing is left nothing is in doubt");
}

#[tokio::test(start_paused = true)]
async fn stopping_ends_it_and_a_second_run_finishes() {
    let stage = Stage::new();
    let (producer, stop) = (stage.producer(), CancellationToken::new());
    let mut progress = producer.progress();
    let story = async {
        progress.wait_for(|progress| progress.acknowledged > 50).await.unwrap();
        stop.cancel();
    };
    let (ran, ()) = tokio::join!(producer.run(&stop), story);
    ran.unwrap();
    assert!(!progress.borrow().is_done());
    finish(stage.producer()).await.unwrap();
    stage.assert_kept();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_cured_stops_it_with_the_place() {
    let stage = Stage::new();
    stage.world.set(&west(), Behaviour::Fails(Error::invalid("other-content", "an id with other content")));
    let error = finish(stage.producer()).await.unwrap_err();
    assert!(error.code() == "other-content" && error.message().contains("eu-west-2: lines from "), "{error}");
    let stage = Stage::new();
    stage.world.set(&west(), Behaviour::Fails(Error::refused("wrong-key", "the key is wrong")));
    assert_eq!(finish(stage.producer()).await.unwrap_err().code(), "wrong-key");
    let stage = Stage::new();
    stage.world.set(&central(), Behaviour::KnowsNobody(Error::refused("wrong-key", "the key is wrong")));
    let error = finish(stage.producer()).await.unwrap_err();
    assert!(error.code() == "wrong-key" && error.message().contains("eu-central-1: "), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_region_that_cannot_answer_questions_holds_nobody_up() {
    let stage = Stage::new();
    stage.world.set(&central(), Behaviour::KnowsNobody(Error::retry("unreachable", "connection refused")));
    finish(stage.producer()).await.unwrap();
    stage.assert_kept();
}

#[tokio::test(start_paused = true)]
async fn evidence_that_contradicts_the_lines_is_refused() {
    let spoils: [fn(&mut Vec<Ack>); 3] = [
        |_| (),
        |acks| acks.push(acks[0].clone()),
        // The first of a partition is missing, a later one is not.
        |acks| drop(acks.remove(0)),
    ];
    for spoil in spoils {
        let stage = Stage::new();
        finish(stage.producer()).await.unwrap();
        let mut acks = stage.acks();
        spoil(&mut acks);
        let sound = acks == stage.acks();
        let lines = acks.iter().map(|ack| serde_json::to_string(ack).unwrap() + "\n").collect::<String>();
        std::fs::write(stage.path(""), lines).unwrap();
        let opened = stage.open(stage.settings());
        assert_eq!(opened.map_err(|error| error.code().to_owned()).err(), (!sound).then(|| "bad-evidence".to_owned()));
    }
}

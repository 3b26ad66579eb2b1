//! Ownership leases on paused time: when they are valid, and when they stop being so.

// A test stops where its own set-up fails.
#![allow(clippy::unwrap_used)]

#[path = "leases/continuity.rs"]
mod continuity;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use dcp_core::clock::{Clock, Moment, SeededEntropy, TokioClock};
use dcp_core::control_plane::PeerWatch;
use dcp_core::digest::Digest;
use dcp_core::ids::{RegionId, SliceRef};
use dcp_core::lease::{ChallengeState, LeaseTerms};
use dcp_core::log::LogId;
use dcp_core::memory::{MemoryEventStore, MemoryStateStore};
use dcp_core::ownership::{Epoch, WriteGrant};
use dcp_core::ports::{LeaseReading, LeaseRenewal, OwnershipLease, StoreIdentity, Witness};
use dcp_core::position::{LogIncarnation, PrefixDigest};
use dcp_core::recovery::PeerLeases;
use dcp_core::tasks::TaskGroup;
use dcp_core::testing::fixtures::{TwoRegions, east, orders, partition_log, slice_a, slice_b, west};
use dcp_core::{Error, Failure};
use dcp_fencing::leases::{BeforeRenewal, OwnershipLeases, StoreHistory};
use dcp_fencing::witness::StateStoreWitness;
use tokio_util::sync::CancellationToken;

/// A witness at the end of a slow or cut line.
#[derive(Debug)]
struct Line {
    witness: StateStoreWitness,
    clock: Arc<TokioClock>,
    delay_ms: AtomicU64,
    cut: AtomicBool,
    lose_answer: AtomicBool,
    asked: AtomicU64,
}

impl Line {
    async fn way(&self) -> Result<(), Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.clock.sleep(Duration::from_millis(self.delay_ms.load(Ordering::SeqCst))).await;
        if self.cut.load(Ordering::SeqCst) { Err(Error::retry("cut", "no answer")) } else { Ok(()) }
    }
}

#[async_trait]
impl Witness for Line {
    async fn ownership(&self, slice: &SliceRef) -> Result<Option<WriteGrant>, Error> {
        self.way().await?;
        self.witness.ownership(slice).await
    }
    async fn chain(&self, slice: &SliceRef) -> Result<Vec<WriteGrant>, Error> {
        self.way().await?;
        self.witness.chain(slice).await
    }
    async fn lease(&self, region: &RegionId) -> Result<Option<LeaseReading>, Error> {
        self.way().await?;
        self.witness.lease(region).await
    }
    async fn renew(&self, renewal: &LeaseRenewal) -> Result<LeaseReading, Failure> {
        self.way().await.map_err(Failure::NotApplied)?;
        let reading = self.witness.renew(renewal).await?;
        self.clock.sleep(Duration::from_millis(self.delay_ms.load(Ordering::SeqCst))).await;
        if self.cut.load(Ordering::SeqCst) || self.lose_answer.load(Ordering::SeqCst) {
            return Err(Failure::in_doubt("cut", "no answer"));
        }
        Ok(reading)
    }
    async fn claim(&self, records: &[WriteGrant], lease: Option<(&RegionId, u64)>) -> Result<(), Failure> {
        self.witness.claim(records, lease).await
    }
}

/// The companion log of an event store: a heartbeat before each renewal, unless it stalls.
#[derive(Debug, Default)]
struct Heart {
    // Its prefix after each heartbeat.
    log: Mutex<Vec<PrefixDigest>>,
    // Drawn into each heartbeat.
    life: AtomicU64,
    stalled: AtomicBool,
}

impl Heart {
    fn log(&self) -> MutexGuard<'_, Vec<PrefixDigest>> {
        self.log.lock().unwrap()
    }

    fn companion() -> LogId {
        LogId::heartbeats(&orders(), &west()).unwrap()
    }

    fn beat(&self) {
        let mut log = self.log();
        let before = log.last().copied().unwrap_or(PrefixDigest::EMPTY);
        let mark =
            Digest::of_fields([&before.count.to_be_bytes()[..], &self.life.load(Ordering::SeqCst).to_be_bytes()]);
        log.push(before.then(&mark));
    }

    fn beats(&self) -> u64 {
        u64::try_from(self.log().len()).unwrap()
    }

    /// A backup is restored: what came after it is lost, and what comes now is something else.
    fn go_back(&self, by: usize) {
        let mut log = self.log();
        let kept = log.len() - by;
        log.truncate(kept);
        self.life.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl BeforeRenewal for Heart {
    async fn before_renewal(
        &self,
        _held: &BTreeMap<SliceRef, WriteGrant>,
        remembered: &BTreeMap<LogId, PrefixDigest>,
    ) -> Result<StoreHistory, Error> {
        if self.stalled.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.beat();
        let log = self.log();
        let at = |count: u64| log.iter().find(|prefix| prefix.count == count).copied();
        let shown = remembered.iter().filter_map(|(name, was)| Some((name.clone(), at(was.count)?))).collect();
        let end = log.last().copied().unwrap();
        let store = StoreIdentity { incarnation: LogIncarnation::from_bytes([1; 16]), commit_sequence: end.count };
        Ok(StoreHistory { store, shown, kept: [(Self::companion(), end)].into() })
    }
}

struct Scene {
    world: TwoRegions,
    clock: Arc<TokioClock>,
    line: Arc<Line>,
    heart: Arc<Heart>,
    state: Arc<MemoryStateStore>,
    leases: Arc<OwnershipLeases>,
    a: SliceRef,
    b: SliceRef,
}

impl Scene {
    async fn set() -> Self {
        let (world, clock) = (TwoRegions::new(), Arc::new(TokioClock::new()));
        let treaty = Arc::new((**world.treaty()).clone());
        let witness = StateStoreWitness::new(Arc::new(MemoryStateStore::new()), treaty);
        let (a, b) = (slice_a(&orders()), slice_b(&orders()));
        witness.claim(&[world.genesis(&a), world.genesis(&b)], None).await.unwrap();
        let line = Arc::new(Line {
            witness,
            clock: Arc::clone(&clock),
            delay_ms: AtomicU64::new(0),
            cut: AtomicBool::new(false),
            lose_answer: AtomicBool::new(false),
            asked: AtomicU64::new(0),
        });
        let heart = Arc::new(Heart::default());
        let state = Arc::new(MemoryStateStore::new());
        let leases = Arc::new(leases(&world, &line, &clock, &heart, &state, 0));
        Self { world, clock, line, heart, state, leases, a, b }
    }

    /// The region's process starts again, over this state store.
    fn restart(&mut self, state: Arc<MemoryStateStore>, life: u64) {
        self.state = state;
        self.leases = Arc::new(leases(&self.world, &self.line, &self.clock, &self.heart, &self.state, life));
        self.adopt_both();
    }

    async fn refusal(&self) -> String {
        let code = self.leases.renew_once().await.unwrap_err().code().to_owned();
        assert!(self.check(&self.a).is_err() && self.check(&self.b).is_err(), "valid after {code}");
        assert!(self.leases.held().borrow().is_empty());
        code
    }

    fn terms(&self) -> LeaseTerms {
        self.world.treaty().lease().clone()
    }

    fn adopt_both(&self) {
        self.leases.adopt(self.world.genesis(&self.a)).unwrap();
        self.leases.adopt(self.world.genesis(&self.b)).unwrap();
    }

    fn check(&self, slice: &SliceRef) -> Result<Moment, Error> {
        self.leases.check(slice, Epoch::GENESIS, self.clock.now())
    }
}

fn leases(
    world: &TwoRegions,
    line: &Arc<Line>,
    clock: &Arc<TokioClock>,
    heart: &Arc<Heart>,
    state: &Arc<MemoryStateStore>,
    life: u64,
) -> OwnershipLeases {
    OwnershipLeases::new(
        west(),
        Arc::<Line>::clone(line),
        world.treaty().lease().clone(),
        Arc::<TokioClock>::clone(clock),
        Arc::<Heart>::clone(heart),
        Arc::<MemoryStateStore>::clone(state),
        Arc::new(SeededEntropy::new(life, "marks")),
    )
}

#[tokio::test(start_paused = true)]
async fn nothing_is_valid_before_an_answered_renewal_nor_after_a_restart() {
    let scene = Scene::set().await;
    scene.adopt_both();
    assert_eq!(scene.check(&scene.a).unwrap_err().code(), "lease-run-out");
    scene.leases.renew_once().await.unwrap();
    scene.check(&scene.a).unwrap();
    assert_eq!(scene.leases.held().borrow().len(), 2);
    let next_epoch = scene.leases.check(&scene.a, Epoch::new(2), scene.clock.now());
    assert!(next_epoch.is_err(), "a lease of epoch 1 covers epoch 2");

    let restarted = leases(&scene.world, &scene.line, &scene.clock, &scene.heart, &scene.state, 1);
    restarted.adopt(scene.world.genesis(&scene.a)).unwrap();
    assert!(restarted.check(&scene.a, Epoch::GENESIS, scene.clock.now()).is_err());
}

#[tokio::test(start_paused = true)]
async fn validity_counts_from_the_sending() {
    let scene = Scene::set().await;
    scene.adopt_both();
    // The first renewal reads the lease before it is sent.
    scene.leases.renew_once().await.unwrap();
    scene.line.delay_ms.store(700, Ordering::SeqCst);
    let sent = scene.clock.now();
    scene.leases.renew_once().await.unwrap();
    assert_eq!(scene.clock.now().since(sent), Duration::from_millis(1_400));
    assert_eq!(scene.check(&scene.a).unwrap(), scene.terms().valid_until(sent));
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_renewal_prolongs_nothing() {
    let scene = Scene::set().await;
    scene.adopt_both();
    scene.leases.renew_once().await.unwrap();
    let until = scene.check(&scene.a).unwrap();
    scene.clock.sleep(Duration::from_secs(1)).await;
    scene.line.cut.store(true, Ordering::SeqCst);
    scene.leases.renew_once().await.unwrap_err();
    assert_eq!(scene.check(&scene.a).unwrap(), until);
    assert!(scene.leases.trouble().borrow().is_some());
    scene.clock.sleep_until(until).await;
    assert_eq!(scene.check(&scene.a).unwrap_err().code(), "lease-run-out");
}

#[tokio::test(start_paused = true)]
async fn a_fenced_renewal_drops_the_lost_slice_and_keeps_the_other() {
    let scene = Scene::set().await;
    scene.adopt_both();
    scene.leases.renew_once().await.unwrap();
    let taken = scene.world.grant(&scene.a, &east(), 2);
    scene.line.claim(&[taken], None).await.unwrap();
    let failure = scene.leases.renew_once().await.unwrap_err();
    assert_eq!(failure.code(), "not-owner");
    assert!(scene.check(&scene.a).is_err());
    assert!(scene.leases.held().borrow().keys().eq([&scene.b]));
    scene.leases.renew_once().await.unwrap();
    scene.check(&scene.b).unwrap();
}

#[tokio::test(start_paused = true)]
async fn it_takes_no_grant_of_another_region_and_no_older_one() {
    let scene = Scene::set().await;
    let easts = scene.world.grant(&scene.a, &east(), 2);
    assert_eq!(scene.leases.adopt(easts).unwrap_err().code(), "not-owner");
    let third = scene.world.grant(&scene.a, &west(), 2);
    scene.line.claim(std::slice::from_ref(&third), None).await.unwrap();
    scene.leases.adopt(third).unwrap();
    scene.leases.adopt(scene.world.genesis(&scene.a)).unwrap();
    scene.leases.renew_once().await.unwrap();
    scene.leases.check(&scene.a, Epoch::new(2), scene.clock.now()).unwrap();
    scene.leases.release(&scene.a);
    assert!(scene.leases.check(&scene.a, Epoch::new(2), scene.clock.now()).is_err());
}

#[tokio::test(start_paused = true)]
async fn it_renews_while_it_runs_and_lets_go_in_time() {
    let scene = Scene::set().await;
    scene.adopt_both();
    let mut group = TaskGroup::new(&CancellationToken::new());
    let (leases, stop) = (Arc::clone(&scene.leases), group.stop_token());
    group.spawn("leases", async move { leases.run(stop).await });
    let mut held = scene.leases.held();
    held.wait_for(|held| held.len() == 2).await.unwrap();
    scene.clock.sleep(scene.terms().ttl() * 5).await;
    scene.check(&scene.a).unwrap();
    let beats = scene.heart.beats();
    assert!((20..=22).contains(&beats), "{beats} renewals in five times to live");

    scene.heart.stalled.store(true, Ordering::SeqCst);
    let until = scene.check(&scene.a).unwrap();
    held.wait_for(BTreeMap::is_empty).await.unwrap();
    let late = scene.clock.now().since(until);
    assert!(late <= scene.terms().renewal_interval(), "told {late:?} after the end");
    assert!(scene.check(&scene.a).is_err());
    group.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_challenger_claims_only_what_it_saw_run_out() {
    let scene = Scene::set().await;
    scene.adopt_both();
    let clock = Arc::<TokioClock>::clone(&scene.clock);
    let watch = PeerWatch::new(Arc::<Line>::clone(&scene.line), clock, scene.terms(), [west()]);
    watch.look().await;
    assert_eq!(watch.state(&west(), scene.clock.now()), ChallengeState::Unseen);
    for _ in 0..3 {
        scene.leases.renew_once().await.unwrap();
        watch.look().await;
        scene.clock.sleep(Duration::from_secs(2)).await;
    }
    // Cut off, it concludes nothing, however long it waits.
    scene.line.cut.store(true, Ordering::SeqCst);
    scene.clock.sleep(Duration::from_secs(60)).await;
    watch.look().await;
    let state = watch.state(&west(), scene.clock.now());
    assert!(matches!(state, ChallengeState::Running { .. }), "{state:?}");
    // Answered again, it does not count the time in which the owner could not have renewed either.
    scene.line.cut.store(false, Ordering::SeqCst);
    watch.look().await;
    let state = watch.state(&west(), scene.clock.now());
    assert!(matches!(state, ChallengeState::Running { .. }), "{state:?}");
    // Silence that it observes counts.
    let answered = scene.clock.now();
    while scene.clock.now().since(answered) <= scene.terms().challenge_wait() {
        let state = watch.state(&west(), scene.clock.now());
        assert!(matches!(state, ChallengeState::Running { .. }), "{state:?}");
        scene.clock.sleep(scene.terms().ttl() / 8).await;
        watch.look().await;
    }
    let state = watch.state(&west(), scene.clock.now());
    assert!(matches!(state, ChallengeState::RunOut { sequence: 3, saw_renewal: true, .. }), "{state:?}");
    // A renewal that slips in is seen by the next reading.
    scene.leases.renew_once().await.unwrap();
    watch.look().await;
    let state = watch.state(&west(), scene.clock.now());
    assert!(matches!(state, ChallengeState::Running { .. }), "{state:?}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_witness_lets_no_region_take_another_over() {
    let scene = Scene::set().await;
    scene.adopt_both();
    let mut group = TaskGroup::new(&CancellationToken::new());
    let (leases, stop) = (Arc::clone(&scene.leases), group.stop_token());
    group.spawn("leases", async move { leases.run(stop).await });
    let clock = Arc::<TokioClock>::clone(&scene.clock);
    let watch = Arc::new(PeerWatch::new(Arc::<Line>::clone(&scene.line), clock, scene.terms(), [west()]));
    let (watching, stop) = (Arc::clone(&watch), group.stop_token());
    group.spawn("watch", async move { watching.run(stop).await });
    scene.clock.sleep(scene.terms().ttl() * 2).await;
    scene.check(&scene.a).unwrap();

    scene.line.cut.store(true, Ordering::SeqCst);
    scene.clock.sleep(scene.terms().ttl() * 2).await;
    scene.check(&scene.a).unwrap_err();
    scene.line.cut.store(false, Ordering::SeqCst);
    for _ in 0..400 {
        scene.clock.sleep(scene.terms().ttl() / 200).await;
        let state = watch.state(&west(), scene.clock.now());
        assert!(matches!(state, ChallengeState::Running { .. }), "{state:?}");
    }
    scene.check(&scene.a).unwrap();
    group.stop().await.unwrap();
}

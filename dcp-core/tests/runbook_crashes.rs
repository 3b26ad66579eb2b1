//! A toy plan of five steps is crashed at every boundary and resumed: every effect happens exactly
//! once, and the journal only grows.

#![allow(clippy::unwrap_used)] // A test that cannot go on says where.

use std::sync::Arc;

use async_trait::async_trait;
use dcp_core::memory::MemoryStateStore;
use dcp_core::ports::StateStore;
use dcp_core::ports::failpoints::points;
use dcp_core::runbook::{Driver, ExportLine, RunEnd, verify_export};
use dcp_core::testing::Violation;
use dcp_core::testing::journal::{CrashAt, CrashMoment, CrashingStore, JournalFixture, Rig, keys, toy_plan};
use tokio_util::sync::CancellationToken;

const STEPS: [&str; 5] = ["a", "b", "c", "d", "e"];

#[derive(Debug)]
struct MemoryFixture(Arc<MemoryStateStore>);

#[async_trait]
impl JournalFixture for MemoryFixture {
    async fn start() -> Self {
        Self(Arc::new(MemoryStateStore::new()))
    }

    fn store(&self) -> Arc<dyn StateStore> {
        self.0.clone()
    }

    async fn crash(&mut self) {
        self.0.crash();
        self.0.reopen();
    }
}

type MemoryRig = Rig<MemoryFixture>;

fn assert_prefix(before: &[ExportLine], after: &[ExportLine], place: &str) {
    assert!(after.starts_with(before), "{place}: the journal before is no prefix of the journal after");
    verify_export(after, &keys().unwrap()).unwrap_or_else(|error| panic!("{place}: {error}"));
}

async fn assert_finishes(rig: &mut MemoryRig, place: &str) {
    let before = rig.export().await.unwrap();
    assert_eq!(rig.resume().await.unwrap(), RunEnd::Done, "{place}");
    assert_prefix(&before, &rig.export().await.unwrap(), place);
    for step in STEPS {
        assert_eq!(rig.world.effects_of(step).len(), 1, "{place}: effects of step {step}");
    }
    assert_eq!(rig.world.marked(), STEPS, "{place}");
}

#[tokio::test(start_paused = true)]
async fn every_boundary_of_every_step() {
    for step in STEPS {
        for point in [points::STEP_INTENT, points::STEP_ACTED, points::STEP_OUTCOME] {
            let mut rig = MemoryRig::start(5).await.unwrap();
            rig.crash_at(point, step).await.unwrap();
            assert_finishes(&mut rig, &format!("{point} of {step}")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_commit_before_and_after_and_in_doubt() {
    for moment in [CrashMoment::BeforeCommit, CrashMoment::AfterCommit, CrashMoment::InDoubt] {
        let mut commits = 0;
        loop {
            let mut rig = MemoryRig::start(5).await.unwrap();
            let ended = rig.crash_commit(commits, moment).await.unwrap();
            assert_finishes(&mut rig, &format!("{moment:?} of commit {commits}")).await;
            // 1 lease, 1 opening, 2 per step, 1 closing.
            if commits == 13 {
                assert_eq!(ended, Some(RunEnd::Done), "the run has more commits than this test crashes");
                break;
            }
            assert_eq!(ended.is_none(), moment != CrashMoment::InDoubt, "{moment:?} of commit {commits}");
            commits += 1;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_pair_of_crashes() {
    for first in 0..13 {
        for second in 0..13 {
            let mut rig = MemoryRig::start(5).await.unwrap();
            rig.crash_commit(first, CrashMoment::AfterCommit).await.unwrap();
            rig.crash_commit(second, CrashMoment::BeforeCommit).await.unwrap();
            assert_finishes(&mut rig, &format!("commits {first} and {second}")).await;
        }
    }
}

async fn cancel(rig: &MemoryRig, driver: &Driver) -> Result<RunEnd, Violation> {
    let catalog = rig.fixture.catalog(&rig.world);
    driver.open_run(&rig.run, &toy_plan(5)?).await?;
    Ok(driver.cancel(&rig.run, "drill", &*catalog, &CancellationToken::new()).await?)
}

#[tokio::test(start_paused = true)]
async fn a_cancel_is_crashed_at_every_commit() {
    let mut crashes = 0;
    for point in [points::STEP_INTENT, points::STEP_ACTED] {
        for commits in 0.. {
            let mut rig = MemoryRig::start(5).await.unwrap();
            rig.crash_at(point, "d").await.unwrap();
            let store = CrashingStore::new(rig.fixture.store(), commits, CrashMoment::AfterCommit);
            let driver = rig.driver_over(store.clone(), CrashAt::nowhere());
            let ended = tokio::select! {
                biased;
                () = store.reached() => None,
                driver = driver => Some(driver.unwrap()),
            };
            let ended = match ended {
                None => None,
                Some(driver) => tokio::select! {
                    biased;
                    () = store.reached() => None,
                    ended = cancel(&rig, &driver) => Some(ended.unwrap()),
                },
            };
            rig.fixture.crash().await;
            let before = rig.export().await.unwrap();
            let driver = rig.driver().await.unwrap();
            assert_eq!(cancel(&rig, &driver).await.unwrap(), RunEnd::Cancelled);
            assert_prefix(&before, &rig.export().await.unwrap(), &format!("cancel, commit {commits}"));
            assert!(rig.world.marked().is_empty(), "commit {commits}: left {:?}", rig.world.marked());
            let undone = rig.world.effects().into_iter().filter(|effect| effect.key.step.as_str().ends_with(".undo"));
            let undone: Vec<_> = undone.map(|effect| effect.key.step.to_string()).collect();
            let expected = if point == points::STEP_INTENT { "c b a" } else { "d c b a" };
            assert_eq!(undone.join(" ").replace(".undo", ""), expected, "commit {commits}");
            if ended == Some(RunEnd::Cancelled) {
                break;
            }
            crashes += 1;
        }
    }
    // Lease, cancelling, the outcome of `d`, two per undone step, closing.
    assert_eq!(crashes, (4 + 2 * 3) + (4 + 2 * 4));
}

#[tokio::test(start_paused = true)]
async fn the_same_crashes_give_the_same_bytes() {
    let mut journals = Vec::new();
    for _ in 0..2 {
        let mut rig = MemoryRig::start(5).await.unwrap();
        rig.crash_at(points::STEP_ACTED, "c").await.unwrap();
        assert_finishes(&mut rig, "twice").await;
        let lines = rig.export().await.unwrap();
        journals.push(lines.iter().map(ExportLine::to_json).collect::<Vec<_>>());
    }
    assert_eq!(journals[0], journals[1]);
}

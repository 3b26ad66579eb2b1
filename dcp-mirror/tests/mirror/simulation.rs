//! Random schedules: whatever happens, the mirror is a prefix of the source at each step, and equal
//! in the end.

use std::time::Duration;

use dcp_core::ports::LinkDesire;
use dcp_core::testing::Violation;
use dcp_core::testing::mirror_link::{CopyFault, RunningLink, World};
use proptest::prelude::*;

use crate::store_fixture::StoreFixture;

#[derive(Debug, Clone)]
enum Step {
    Append { log: usize, count: usize },
    Cut(bool),
    Copy { good: usize, fault: CopyFault },
    Crash,
    CrashUnsynced,
    Restart,
    Desire { active: bool },
    Stage,
    Beat,
    Wait { milliseconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        2 => Just(CopyFault::AnswerLost),
        2 => Just(CopyFault::RequestLost),
        1 => Just(CopyFault::Hangs),
    ];
    prop_oneof![
        6 => (0_usize..2, 1_usize..20).prop_map(|(log, count)| Step::Append { log, count }),
        2 => any::<bool>().prop_map(Step::Cut),
        2 => (0_usize..3, fault).prop_map(|(good, fault)| Step::Copy { good, fault }),
        1 => Just(Step::Crash),
        1 => Just(Step::CrashUnsynced),
        1 => Just(Step::Restart),
        2 => any::<bool>().prop_map(|active| Step::Desire { active }),
        1 => Just(Step::Stage),
        1 => Just(Step::Beat),
        6 => (0_u64..200).prop_map(|milliseconds| Step::Wait { milliseconds }),
    ]
}

async fn wait(world: &World, milliseconds: u64) {
    world.clock.sleep(Duration::from_millis(milliseconds)).await;
}

async fn take(world: &mut World, running: RunningLink, step: Step) -> Result<RunningLink, Violation> {
    match step {
        Step::Append { log, count } => world.append(&World::logs()[log], count).await?,
        Step::Cut(cut) => world.source.set_cut(cut),
        Step::Copy { good, fault } => running.copies.plan(good, fault),
        Step::Crash => {
            world.crash(running).await;
            return world.run::<StoreFixture>();
        }
        Step::CrashUnsynced => {
            let hold = world.east.hold_sync();
            wait(world, 40).await;
            world.crash(running).await;
            drop(hold);
            return world.run::<StoreFixture>();
        }
        Step::Restart => {
            // A copy that hangs would keep the worker from stopping.
            running.copies.clear();
            drop(running);
            return world.run::<StoreFixture>();
        }
        Step::Desire { active } => {
            let operation = world.operation(1)?;
            let desire = if active { LinkDesire::active() } else { LinkDesire::paused() };
            running.link.set_desire(&operation, desire).await?;
        }
        Step::Stage => {
            let operation = world.operation(1)?;
            let cut = world.source_ends().await?;
            running.link.set_desire(&operation, LinkDesire::staging(cut)).await?;
        }
        Step::Beat => world.beat::<StoreFixture>().await?,
        Step::Wait { milliseconds } => wait(world, milliseconds).await,
    }
    Ok(running)
}

async fn play(steps: Vec<Step>) -> Result<(), Violation> {
    let mut world = World::start().await?;
    let mut running = world.run::<StoreFixture>()?;
    for step in steps {
        running = take(&mut world, running, step).await?;
        world.demand_prefix().await?;
    }
    world.source.set_cut(false);
    world.crash(running).await;
    let running = world.run::<StoreFixture>()?;
    world.desire(&running.link, LinkDesire::active()).await?;
    world.until_equal().await?;
    running.stop().await?;
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_mirror_is_always_a_prefix_and_equal_in_the_end(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let played = runtime.block_on(play(steps));
        prop_assert!(played.is_ok(), "{}", played.unwrap_err());
    }
}

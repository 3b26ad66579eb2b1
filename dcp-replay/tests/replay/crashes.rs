//! Position and model are never apart, and one projector at a time commits.

use std::time::Duration;

use dcp_core::Failure;
use dcp_core::clock::{Clock, TokioClock};
use dcp_core::error::ErrorKind;
use dcp_core::ports::ReplayControl;
use dcp_replay::Projector;
use tokio_util::sync::CancellationToken;

use crate::orders::sales;
use crate::unreliable::Fault;
use crate::world::{World, log, record};

const W: &str = "orders@w/0";

fn world(events: u64) -> World {
    let records = (1..=events).map(|n| record(n, &format!("s{}", n % 7), 1, 1 + (n - 1) / 7, 1)).collect();
    let world = World::with(&[(W, records)]);
    world.source.show_all();
    world
}

/// Lines in the model, and records applied according to the position committed with it.
async fn lines_and_position(world: &World, projector: &Projector) -> (u64, u64) {
    let applied = projector.status().await.unwrap().applied[&sales()][&log(W)];
    (world.total().await.lines, applied)
}

#[tokio::test]
async fn an_unknown_outcome_is_read_and_not_guessed() {
    for fault in [Fault::Refused, Fault::DoubtDone, Fault::DoubtNotDone] {
        let world = world(40);
        let projector = world.start();
        projector.step().await.unwrap();
        world.state.next_commits([fault]);
        assert!(projector.step().await.is_err(), "{fault:?}");
        projector.step().await.unwrap();
        // A commit that was only delayed is fenced by the claim.
        assert_eq!(world.state.land_held().await, 0, "{fault:?}");
        projector.catch_up().await.unwrap();
        assert_eq!(lines_and_position(&world, &projector).await, (40, 40), "{fault:?}");
    }
}

#[tokio::test]
async fn a_crash_leaves_model_and_position_of_one_batch() {
    let world = world(40);
    for _ in 0..10 {
        let projector = world.start();
        projector.step().await.unwrap();
        drop(projector);
        world.memory.crash();
        world.memory.reopen();
        let (lines, position) = lines_and_position(&world, &world.start()).await;
        assert_eq!(lines, position);
    }
    let projector = world.start();
    projector.catch_up().await.unwrap();
    assert_eq!(lines_and_position(&world, &projector).await, (40, 40));
}

#[tokio::test]
async fn a_step_that_is_dropped_is_committed_as_a_whole_or_not_at_all() {
    let world = world(40);
    let projector = world.start();
    projector.step().await.unwrap();
    let hold = world.memory.hold_sync();
    {
        let mut step = Box::pin(projector.step());
        assert!(futures_poll_once(&mut step).await.is_none(), "the commit waits for its sync");
    }
    drop(hold);
    projector.catch_up().await.unwrap();
    assert_eq!(lines_and_position(&world, &projector).await, (40, 40));
}

async fn futures_poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| match std::pin::Pin::new(&mut *future).poll(context) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

#[tokio::test]
async fn a_late_child_is_fenced_at_the_store() {
    let world = world(40);
    let old = world.start();
    old.step().await.unwrap();
    let new = world.start();
    new.step().await.unwrap();
    let refused = old.step().await.unwrap_err();
    assert!(matches!(refused, Failure::NotApplied(error) if error.kind() == ErrorKind::Fenced));
    new.catch_up().await.unwrap();
    assert_eq!(lines_and_position(&world, &new).await, (40, 40));
}

#[tokio::test(start_paused = true)]
async fn run_follows_the_logs_and_ends_when_told() {
    let world = world(10);
    world.source.hide(&log(W), 4);
    let projector = world.start();
    let stop = CancellationToken::new();
    let clock = TokioClock::new();
    let follow = async {
        while world.total().await.lines < 4 {
            clock.sleep(Duration::from_millis(5)).await;
        }
        world.state.next_commits([Fault::Refused, Fault::DoubtDone]);
        world.source.show_all();
        while world.total().await.lines < 10 {
            clock.sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    };
    let both = async { tokio::join!(projector.run(stop.clone()), follow) };
    let (ended, ()) = tokio::time::timeout(Duration::from_secs(60), both).await.unwrap();
    ended.unwrap();
    assert_eq!(projector.status().await.unwrap().applied[&sales()][&log(W)], 10);
}

#[tokio::test]
async fn a_projector_that_was_replaced_ends_its_run() {
    let world = world(40);
    let old = world.start();
    old.step().await.unwrap();
    world.start().step().await.unwrap();
    let ended = old.run(CancellationToken::new()).await.unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Fenced);
}

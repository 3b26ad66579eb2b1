//! Refolds: their bounds, their refusals, and what the status says.

use dcp_core::Failure;
use dcp_core::error::ErrorKind;
use dcp_core::ports::{EventSource, ReplayControl};

use crate::orders::{sales, stock};
use crate::unreliable::Fault;
use crate::world::{World, log, operation, record};

const W: &str = "orders@w/0";
const C: &str = "orders@c/0";

/// Ten streams, each dirty: W's event of epoch 1 arrives after C's of epoch 2.
async fn ten_dirty_streams() -> World {
    let home = (0..10).map(|n| record(n, &format!("s{n}"), 1, 1, 5)).collect();
    let other = (0..10).map(|n| record(100 + n, &format!("s{n}"), 2, 1, 7)).collect();
    let world = World::with(&[(W, home), (C, other)]);
    world.source.show(&log(C), 10);
    let projector = world.start();
    projector.catch_up().await.unwrap();
    world.source.show(&log(W), 10);
    projector.catch_up().await.unwrap();
    assert_eq!(projector.status().await.unwrap().dirty[&stock()], 10);
    world
}

#[tokio::test]
async fn a_refold_waits_for_the_cut() {
    let world = ten_dirty_streams().await;
    let projector = world.start();
    world.source.push(&log(W), record(50, "s0", 1, 2, 1));
    let cut = world.source.ends(&world.source.names()).await.unwrap();
    let refused = projector.refold(&operation(), &cut).await.unwrap_err();
    assert_eq!(refused.not_applied().map(dcp_core::Error::kind), Some(ErrorKind::Conflict));
    assert!(!projector.status().await.unwrap().reached(&cut));
    projector.catch_up().await.unwrap();
    assert!(projector.status().await.unwrap().reached(&cut));
    projector.refold(&operation(), &cut).await.unwrap();
    assert_eq!(world.levels().await, world.reference().levels);
}

#[tokio::test]
async fn events_applied_beyond_the_cut_stay_applied() {
    let world = ten_dirty_streams().await;
    let cut = world.source.ends(&world.source.names()).await.unwrap();
    let projector = world.start();
    world.source.push(&log(C), record(60, "s3", 2, 2, 9));
    projector.catch_up().await.unwrap();
    projector.refold(&operation(), &cut).await.unwrap();
    assert_eq!(world.levels().await, world.reference().levels);
    world.source.push(&log(C), record(61, "s3", 2, 3, 9));
    projector.catch_up().await.unwrap();
    assert_eq!(world.levels().await, world.reference().levels);
    assert_eq!(projector.status().await.unwrap().dirty[&stock()], 0);
}

#[tokio::test]
async fn a_cut_that_the_local_log_does_not_hold_is_refused() {
    let world = ten_dirty_streams().await;
    let other = World::with(&[(W, vec![record(999, "s0", 1, 1, 5)]), (C, vec![])]);
    other.source.show_all();
    let cut = other.source.ends(&other.source.names()).await.unwrap();
    let refused = world.start().refold(&operation(), &cut).await.unwrap_err();
    assert_eq!(refused.code(), "cut-diverges");
}

#[tokio::test]
async fn a_refold_that_is_interrupted_goes_on_where_it_was() {
    let world = ten_dirty_streams().await;
    let cut = world.source.ends(&world.source.names()).await.unwrap();
    let mut left = Vec::new();
    for fault in [Fault::Refused, Fault::DoubtDone, Fault::DoubtNotDone] {
        let projector = world.start();
        projector.status().await.unwrap();
        world.state.next_commits([Fault::None, fault]);
        assert!(projector.refold(&operation(), &cut).await.is_err());
        world.state.land_held().await;
        left.push(projector.status().await.unwrap().dirty[&stock()]);
        left.push(world.start().status().await.unwrap().dirty[&stock()]);
    }
    // Two streams in each commit; the published status may be older than what is committed, never newer.
    assert_eq!([left[1], left[3], left[5]], [8, 4, 0]);
    world.start().refold(&operation(), &cut).await.unwrap();
    assert_eq!(world.levels().await, world.reference().levels);
}

#[tokio::test]
async fn a_refold_without_dirty_streams_writes_nothing() {
    let world = ten_dirty_streams().await;
    let projector = world.start();
    world.refold(&projector).await;
    world.state.next_commits([Fault::Refused]);
    world.refold(&projector).await;
}

#[tokio::test]
async fn a_position_ahead_of_the_log_or_of_another_incarnation_is_refused() {
    let world = ten_dirty_streams().await;
    world.source.hide(&log(W), 4);
    let projector = world.start();
    projector.catch_up().await.unwrap();
    let status = projector.status().await.unwrap();
    assert!(status.stopped[&sales()].contains("10 records up to") && status.stopped[&stock()].contains("Repair: 1."));
    world.source.show_all();
    let projector = world.start();
    projector.catch_up().await.unwrap();
    assert!(projector.status().await.unwrap().stopped.is_empty());
    world.source.restore_as(1);
    projector.catch_up().await.unwrap();
    assert!(projector.status().await.unwrap().stopped[&sales()].contains("incarnation"));
    let cut = world.source.ends(&world.source.names()).await.unwrap();
    let refused = projector.refold(&operation(), &cut).await.unwrap_err();
    assert!(matches!(refused, Failure::NotApplied(error) if error.kind() == ErrorKind::Stopped));
}

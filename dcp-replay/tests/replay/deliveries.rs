//! Each delivery, once, by a projector over logs.

use dcp_core::event::Record;
use dcp_core::ports::{DeliveryCounts, ReplayControl};
use dcp_replay::Projector;

use crate::orders::{sales, stock};
use crate::world::{World, log, record};

const W: &str = "orders@w/0";
const C: &str = "orders@c/0";

async fn counts(projector: &Projector) -> (DeliveryCounts, DeliveryCounts) {
    let status = projector.status().await.unwrap();
    (status.deliveries[&sales()], status.deliveries[&stock()])
}

/// What both projections say, as (new, redelivered, copy, late, conflict, applied ahead).
async fn said(projector: &Projector) -> [u64; 6] {
    let (sales, stock) = counts(projector).await;
    assert_eq!(sales, stock);
    [sales.new, sales.redelivered, sales.copy, sales.late, sales.conflict, sales.applied_ahead]
}

fn world(home: Vec<Record>, other: Vec<Record>) -> World {
    World::with(&[(W, home), (C, other)])
}

#[tokio::test]
async fn events_in_order_are_new() {
    let world = world(vec![record(1, "a", 1, 1, 5), record(2, "a", 1, 2, -2)], vec![record(3, "a", 2, 1, 4)]);
    world.source.show_all();
    let projector = world.start();
    projector.catch_up().await.unwrap();
    assert_eq!(said(&projector).await, [3, 0, 0, 0, 0, 0]);
    assert_eq!(world.levels().await, world.reference().levels);
    assert_eq!(world.total().await, world.reference().total);
}

#[tokio::test]
async fn a_record_met_again_is_redelivered_and_dropped() {
    let mut home: Vec<_> = (1..=5).map(|number| record(number, "a", 1, number, 1)).collect();
    home.push(record(5, "a", 1, 5, 1));
    home.push(record(6, "a", 1, 6, 1));
    let world = world(home, vec![]);
    world.source.show_all();
    let projector = world.start();
    projector.catch_up().await.unwrap();
    assert_eq!(said(&projector).await, [6, 1, 0, 0, 0, 0]);
    assert_eq!(projector.status().await.unwrap().applied[&sales()][&log(W)], 7);
    assert_eq!(world.total().await.lines, 6);
}

#[tokio::test]
async fn a_reader_that_repeats_itself_changes_nothing() {
    let world = world((1..=4).map(|number| record(number, "a", 1, number, 1)).collect(), vec![]);
    world.source.show(&log(W), 2);
    world.start().catch_up().await.unwrap();
    world.source.repeat(2);
    world.source.show(&log(W), 2);
    let projector = world.start();
    projector.catch_up().await.unwrap();
    assert_eq!(said(&projector).await, [4, 2, 0, 0, 0, 0]);
    assert_eq!(projector.status().await.unwrap().applied[&stock()][&log(W)], 4);
    assert_eq!(world.levels().await, world.reference().levels);
}

#[tokio::test]
async fn a_copy_is_dropped_and_advances_the_mark_of_its_own_origin() {
    let world = world(vec![record(1, "a", 1, 1, 5)], vec![record(1, "a", 2, 1, 5), record(2, "a", 2, 2, 7)]);
    world.source.show_all();
    let projector = world.start();
    projector.catch_up().await.unwrap();
    assert_eq!(said(&projector).await, [2, 0, 1, 0, 0, 0]);
    assert_eq!(projector.status().await.unwrap().dirty[&stock()], 0);
    assert_eq!(world.levels().await, world.reference().levels);
}

#[tokio::test]
async fn a_copy_that_turns_out_canonical_marks_its_stream_dirty() {
    let world = world(vec![record(1, "a", 1, 1, 5)], vec![record(2, "a", 2, 1, 7), record(1, "a", 2, 2, 5)]);
    world.source.show(&log(C), 2);
    let projector = world.start();
    projector.catch_up().await.unwrap();
    let in_arrival_order = world.levels().await;
    world.source.show(&log(W), 1);
    projector.catch_up().await.unwrap();
    assert_eq!(said(&projector).await, [2, 0, 1, 0, 0, 0]);
    let status = projector.status().await.unwrap();
    assert_eq!((status.dirty[&sales()], status.dirty[&stock()]), (0, 1));
    assert_eq!(world.levels().await, in_arrival_order);
    assert_eq!(world.total().await, world.reference().total);
    world.refold(&projector).await;
    assert_ne!(in_arrival_order, world.reference().levels);
    assert_eq!(world.levels().await, world.reference().levels);
}

#[tokio::test]
async fn a_late_event_is_applied_where_order_does_not_matter_and_marks_the_stream_dirty_where_it_does() {
    let world = world(vec![record(1, "a", 1, 1, 5), record(2, "b", 1, 1, 5)], vec![record(3, "a", 2, 1, 7)]);
    world.source.show(&log(C), 1);
    let projector = world.start();
    projector.catch_up().await.unwrap();
    world.source.show(&log(W), 2);
    projector.catch_up().await.unwrap();
    assert_eq!(said(&projector).await, [2, 0, 0, 1, 0, 0]);
    assert_eq!(projector.status().await.unwrap().dirty[&stock()], 1);
    assert_eq!(world.total().await, world.reference().total);
    world.refold(&projector).await;
    assert_eq!(projector.status().await.unwrap().dirty[&stock()], 0);
    assert_eq!(world.levels().await, world.reference().levels);
}

/// Each projection stopped with this text, at `applied` records of W.
async fn assert_stopped(world: &World, projector: &Projector, texts: &[&str], applied: u64) {
    projector.catch_up().await.unwrap();
    for attempt in ["as it was", "after a restart"] {
        let again = world.start();
        let status = if attempt == "as it was" { projector } else { &again }.status().await.unwrap();
        for id in [sales(), stock()] {
            let reason = &status.stopped[&id];
            for text in texts {
                assert!(reason.contains(text), "{attempt}: {reason}: has no {text:?}");
            }
            assert_eq!(status.applied[&id][&log(W)], applied, "{attempt}");
        }
    }
}

#[tokio::test]
async fn another_content_under_a_version_is_a_conflict_with_both_digests() {
    let (held, arrived) = (record(1, "a", 1, 1, 5), record(9, "a", 1, 1, 6));
    let digests = [held.content_digest().to_string(), arrived.content_digest().to_string()];
    let world = world(vec![record(7, "b", 1, 1, 1), held, arrived, record(2, "a", 1, 2, 1)], vec![]);
    world.source.show_all();
    let projector = world.start();
    assert_stopped(&world, &projector, &["another content", "version 1", &digests[0], &digests[1]], 2).await;
    assert_eq!(said(&projector).await, [2, 0, 0, 0, 1, 0]);
    assert_eq!(world.total().await.lines, 2);
}

#[tokio::test]
async fn another_content_under_an_id_is_a_conflict_with_both_places() {
    let (held, arrived) = (record(1, "a", 2, 1, 5), record(1, "a", 1, 1, 6));
    let digests = [held.content_digest().to_string(), arrived.content_digest().to_string()];
    let world = world(vec![arrived], vec![held]);
    world.source.show(&log(C), 1);
    let projector = world.start();
    projector.catch_up().await.unwrap();
    world.source.show(&log(W), 1);
    assert_stopped(&world, &projector, &["under its id", C, W, &digests[0], &digests[1]], 0).await;
    assert_eq!(said(&projector).await, [1, 0, 0, 0, 1, 0]);
}

#[tokio::test]
async fn an_event_after_a_gap_is_applied_ahead() {
    let world = world(vec![record(1, "a", 1, 1, 5), record(3, "a", 1, 3, 6)], vec![]);
    world.source.show_all();
    let projector = world.start();
    assert_stopped(&world, &projector, &["versions are missing", "up to version 1"], 1).await;
    assert_eq!(said(&projector).await, [1, 0, 0, 0, 0, 1]);
}

#[tokio::test]
async fn an_id_already_in_the_model_above_its_mark_is_applied_ahead() {
    let world = world(vec![record(1, "a", 1, 1, 5), record(1, "a", 1, 2, 5)], vec![]);
    world.source.show_all();
    let projector = world.start();
    assert_stopped(&world, &projector, &["already applied from the same log"], 1).await;
}

#[tokio::test]
async fn an_event_that_cannot_be_folded_stops_its_projection_and_resuming_skips_nothing() {
    let mut bad = record(2, "a", 1, 2, 0);
    bad.payload = bytes::Bytes::from_static(b"many");
    let world = world(vec![record(1, "a", 1, 1, 5), bad, record(3, "a", 1, 3, 1)], vec![]);
    world.source.show_all();
    let projector = world.start();
    assert_stopped(&world, &projector, &["could not apply", "\"many\""], 1).await;
    let projector = world.start();
    projector.resume(&sales()).await.unwrap();
    assert!(!projector.status().await.unwrap().stopped.contains_key(&sales()));
    projector.catch_up().await.unwrap();
    assert!(projector.status().await.unwrap().stopped.contains_key(&sales()));
    assert_eq!(world.total().await.lines, 1);
}

#[tokio::test]
async fn what_was_said_survives_a_restart() {
    let world = world(vec![record(1, "a", 1, 1, 5)], vec![record(1, "a", 2, 1, 5), record(3, "a", 2, 2, 7)]);
    world.source.show_all();
    let before = world.start();
    before.catch_up().await.unwrap();
    assert_eq!(said(&before).await, said(&world.start()).await);
}

#[tokio::test]
async fn reading_everything_from_the_start_finds_nothing_late() {
    let home: Vec<_> = (1..=20).map(|n| record(n, "a", if n <= 10 { 1 } else { 3 }, n, 1)).collect();
    let other: Vec<_> = (1..=20).map(|n| record(100 + n, "a", 2, n, 1)).collect();
    let world = world(home, other);
    world.source.show_all();
    let projector = world.start();
    projector.catch_up().await.unwrap();
    assert_eq!(said(&projector).await, [40, 0, 0, 0, 0, 0]);
    assert_eq!(world.levels().await, world.reference().levels);
}

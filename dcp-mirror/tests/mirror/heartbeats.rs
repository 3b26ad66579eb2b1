//! The writer of heartbeats.

use std::collections::BTreeSet;
use std::sync::Arc;

use dcp_core::ErrorKind;
use dcp_core::clock::SeededEntropy;
use dcp_core::log::LogId;
use dcp_core::testing::Violation;
use dcp_core::testing::fixtures::{orders, returns, west};
use dcp_core::testing::mirror_link::World;
use dcp_mirror::{Heartbeat, HeartbeatWriter};

fn marks() -> Arc<SeededEntropy> {
    Arc::new(SeededEntropy::new(1, "marks"))
}

async fn newest(world: &World, companion: &LogId) -> Result<Heartbeat, Violation> {
    let records = world.written(companion).await?;
    let last = records.last().ok_or_else(|| Violation(format!("{companion} is empty")))?;
    Ok(Heartbeat::of_record(last)?)
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_per_scope_names_the_ends_of_what_is_owned() -> Result<(), Violation> {
    let mut world = World::start().await?;
    let logs = World::logs();
    let writer = HeartbeatWriter::new(world.west.clone(), west(), [orders(), returns()], marks())?;
    let companions: Vec<LogId> = writer.companions().cloned().collect();
    world.append(&logs[0], 3).await?;
    let sequences = writer.beat(&BTreeSet::from([logs[0].clone()])).await?;
    assert_eq!(sequences.values().copied().collect::<Vec<_>>(), [1, 1]);
    let heartbeat = newest(&world, &companions[0]).await?;
    let ends = world.source_ends().await?;
    assert_eq!(heartbeat.ends.len(), 1, "a log whose slice is not owned is not named");
    assert_eq!(Some(heartbeat.ends[&logs[0]]), ends.get(&logs[0]).map(|end| end.prefix));
    assert!(newest(&world, &companions[1]).await?.ends.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn sequences_go_on_after_a_restart_and_the_older_writer_is_fenced() -> Result<(), Violation> {
    let world = World::start().await?;
    let owned = World::logs().into_iter().collect();
    let first = HeartbeatWriter::new(world.west.clone(), west(), [orders()], marks())?;
    first.beat(&owned).await?;
    first.beat(&owned).await?;
    let second = HeartbeatWriter::new(world.west.clone(), west(), [orders()], marks())?;
    let companion = LogId::heartbeats(&orders(), &west())?;
    assert_eq!(second.beat(&owned).await?[&companion], 3);
    for _ in 0..2 {
        let fenced = first.beat(&owned).await.unwrap_err();
        assert_eq!(fenced.not_applied().map(dcp_core::Error::kind), Some(ErrorKind::Fenced));
    }
    assert_eq!(second.beat(&owned).await?[&companion], 4, "the fenced one did not fence back");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_dropped_beat_neither_repeats_nor_skips() -> Result<(), Violation> {
    let world = World::start().await?;
    let owned: BTreeSet<LogId> = World::logs().into_iter().collect();
    let writer = HeartbeatWriter::new(world.west.clone(), west(), [orders()], marks())?;
    let hold = world.west.hold_sync();
    let second = std::time::Duration::from_secs(1);
    tokio::select! {
        biased;
        beat = writer.beat(&owned) => return Err(Violation(format!("not synced, and answered {beat:?}"))),
        () = world.clock.sleep(second) => {}
    }
    drop(hold);
    let companion = LogId::heartbeats(&orders(), &west())?;
    for _ in 0..3 {
        writer.beat(&owned).await?;
    }
    let sequences: Vec<u64> = world
        .written(&companion)
        .await?
        .iter()
        .map(|record| Heartbeat::of_record(record).map(|heartbeat| heartbeat.sequence))
        .collect::<Result<_, _>>()?;
    assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_foreign_log_is_refused() -> Result<(), Violation> {
    let world = World::start().await?;
    let writer = HeartbeatWriter::new(world.west.clone(), west(), [orders()], marks())?;
    for foreign in ["orders@east/0", "returns@west/0"] {
        let refused = writer.beat(&BTreeSet::from([foreign.parse()?])).await.unwrap_err();
        assert_eq!(refused.code(), "foreign-log");
    }
    Ok(())
}

use super::*;
use dcp_core::digest::Digest;
use dcp_core::ports::{LinkState, LinkStatus, LogProgress};
use proptest::prelude::*;

fn log(partition: u32) -> LogId {
    LogId::new("orders".parse().unwrap(), "west".parse().unwrap(), partition)
}

fn companion() -> LogId {
    LogId::heartbeats(log(0).scope(), log(0).origin()).unwrap()
}

fn prefix(count: u64) -> PrefixDigest {
    PrefixDigest { count, digest: Digest::of(&count.to_be_bytes()) }
}

fn beat(sequence: u64, ends: &[(u32, u64)]) -> Heartbeat {
    let ends = ends.iter().map(|(partition, count)| (log(*partition), prefix(*count))).collect();
    Heartbeat { sequence, mark: Digest::of(&sequence.to_be_bytes()), ends }
}

fn applied(ends: &[(u32, u64)]) -> BTreeMap<LogId, PrefixDigest> {
    ends.iter().map(|(partition, count)| (log(*partition), prefix(*count))).collect()
}

fn known(ends: &[(u32, u64)]) -> BTreeMap<LogId, u64> {
    ends.iter().map(|(partition, count)| (log(*partition), *count)).collect()
}

fn at(seconds: u64) -> Moment {
    Moment::from_nanos(seconds * 1_000_000_000)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn age_counts_from_the_arrival_of_the_newest_applied_heartbeat() {
    let mut tracker = HeartbeatTracker::new([companion()]);
    assert_eq!(tracker.age(at(1)), None);
    assert!(tracker.arrived(&companion(), beat(1, &[(0, 5)]), at(10)));
    tracker.settle(&applied(&[(0, 4)]));
    assert_eq!(tracker.age(at(12)), None);
    tracker.settle(&applied(&[(0, 5)]));
    assert_eq!(tracker.age(at(12)), Some(seconds(2)));
    // A newer one that is not applied does not make the mirror younger, nor does an old sequence.
    assert!(tracker.arrived(&companion(), beat(2, &[(0, 9)]), at(13)));
    assert!(!tracker.arrived(&companion(), beat(2, &[(0, 5)]), at(14)));
    tracker.settle(&applied(&[(0, 5)]));
    assert_eq!(tracker.age(at(15)), Some(seconds(5)));
}

#[test]
fn the_scope_that_is_worst_off_counts() {
    let other: LogId = "parts.heartbeats@west/0".parse().unwrap();
    let mut tracker = HeartbeatTracker::new([companion(), other.clone()]);
    tracker.arrived(&companion(), beat(1, &[]), at(10));
    tracker.settle(&BTreeMap::new());
    assert_eq!(tracker.age(at(12)), None);
    tracker.arrived(&other, beat(1, &[]), at(11));
    tracker.settle(&BTreeMap::new());
    assert_eq!(tracker.age(at(12)), Some(seconds(2)));
}

#[test]
fn a_takeover_declares_per_log() {
    let mut tracker = HeartbeatTracker::new([companion()]);
    tracker.arrived(&companion(), beat(1, &[(0, 5), (1, 3)]), at(10));
    tracker.settle(&applied(&[(0, 5), (1, 3), (2, 0)]));
    tracker.arrived(&companion(), beat(2, &[(0, 8), (1, 4)]), at(11));
    let here = applied(&[(0, 6), (1, 4), (2, 0)]);
    tracker.settle(&here);
    let declared = tracker.declare(at(20), &here, &known(&[(0, 8), (1, 4), (2, 0)]));
    let expected = BTreeMap::from([
        (log(0), Declared { seconds: Some(seconds(10)), records: 2 }),
        (log(1), Declared { seconds: Some(seconds(9)), records: 0 }),
    ]);
    assert_eq!(declared, expected);
}

#[test]
fn what_was_held_before_this_process_has_no_age() {
    let mut tracker = HeartbeatTracker::new([companion()]);
    tracker.restore(&companion(), beat(7, &[(0, 5)]));
    tracker.settle(&applied(&[(0, 5)]));
    assert_eq!(tracker.age(at(1)), None);
    assert!(!tracker.arrived(&companion(), beat(7, &[(0, 5)]), at(2)));
    assert_eq!(tracker.named_counts().collect::<Vec<_>>(), [(&log(0), 5)]);
    let declared = tracker.declare(at(3), &applied(&[(0, 4)]), &known(&[(0, 5)]));
    assert_eq!(declared, BTreeMap::from([(log(0), Declared { seconds: None, records: 1 })]));
}

#[test]
fn a_log_that_moved_away_with_a_tail_is_still_declared() {
    let mut tracker = HeartbeatTracker::new([companion()]);
    tracker.arrived(&companion(), beat(1, &[(0, 5)]), at(10));
    tracker.arrived(&companion(), beat(2, &[]), at(11));
    let here = applied(&[(0, 3)]);
    tracker.settle(&here);
    let declared = tracker.declare(at(12), &here, &known(&[(0, 5)]));
    assert_eq!(declared, BTreeMap::from([(log(0), Declared { seconds: None, records: 2 })]));
    assert!(tracker.declare(at(12), &applied(&[(0, 5)]), &known(&[(0, 5)])).is_empty());
}

#[test]
fn budgets_name_every_excess() {
    let budget = LagBudget { records: 10, age: seconds(5) };
    let mut status = LinkStatus::new(LinkState::Active);
    assert_eq!(budget.excess(&status), [LagExcess::AgeUnknown]);
    status.heartbeat_age = Some(seconds(5));
    status.logs.insert(log(0), LogProgress { applied: prefix(1), source_count: 11 });
    assert_eq!(budget.excess(&status), []);
    status.heartbeat_age = Some(seconds(6));
    status.logs.insert(log(1), LogProgress { applied: prefix(1), source_count: 12 });
    let expected = [LagExcess::Records { log: log(1), records: 11 }, LagExcess::Age { age: seconds(6) }];
    assert_eq!(budget.excess(&status), expected);
}

proptest! {
    /// However many wait, memory is bounded, and forgetting some never makes the lag look younger.
    #[test]
    fn thinning_is_bounded_and_never_younger(beats in 1_u64..5_000, reached in 0_u64..5_000) {
        let mut tracker = HeartbeatTracker::new([companion()]);
        for sequence in 1..=beats {
            tracker.arrived(&companion(), beat(sequence, &[(0, sequence)]), at(sequence));
        }
        prop_assert!(tracker.companions[&companion()].waiting.len() <= WAITING_MAX);
        tracker.settle(&applied(&[(0, reached)]));
        let now = at(10_000);
        let truth = reached.min(beats);
        match tracker.age(now) {
            Some(age) => prop_assert!(age >= now.since(at(truth))),
            None => prop_assert!(reached < beats),
        }
    }
}

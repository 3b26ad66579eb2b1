use super::*;
use dcp_core::digest::Digest;
use dcp_core::ports::{Exposure, LinkState, LinkStatus, LogProgress};
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

// The source's companion log holds this many heartbeats.
fn shows(tracker: &mut HeartbeatTracker, asked: u64, beats: u64) {
    tracker.showed(at(asked), [(&companion(), beats)]);
}

fn exposure(age: Option<u64>, declared_records: u64) -> Exposure {
    Exposure { declared_seconds: age.map(|age| seconds(age).as_secs_f64()), declared_records }
}

#[test]
fn age_counts_from_the_newest_read_without_the_heartbeat() {
    let mut tracker = HeartbeatTracker::new([companion()]);
    assert_eq!(tracker.age(at(1)), None);
    shows(&mut tracker, 8, 0);
    shows(&mut tracker, 10, 0);
    shows(&mut tracker, 11, 1);
    assert!(tracker.arrived(&companion(), beat(1, &[(0, 5)])));
    tracker.settle(&applied(&[(0, 4)]));
    assert_eq!(tracker.age(at(12)), None);
    tracker.settle(&applied(&[(0, 5)]));
    assert_eq!(tracker.age(at(12)), Some(seconds(2)));
    // A newer one that is not applied does not make the mirror younger, nor does an old sequence.
    shows(&mut tracker, 14, 2);
    assert!(tracker.arrived(&companion(), beat(2, &[(0, 9)])));
    assert!(!tracker.arrived(&companion(), beat(2, &[(0, 5)])));
    tracker.settle(&applied(&[(0, 5)]));
    assert_eq!(tracker.age(at(15)), Some(seconds(5)));
}

#[test]
fn heartbeats_that_arrive_late_and_together_are_no_younger_for_it() {
    let mut tracker = HeartbeatTracker::new([companion()]);
    shows(&mut tracker, 10, 0);
    // Cut off for half a minute; then thirty heartbeats in one read.
    shows(&mut tracker, 40, 30);
    for sequence in 1..=30 {
        assert!(tracker.arrived(&companion(), beat(sequence, &[(0, sequence)])));
    }
    tracker.settle(&applied(&[(0, 3)]));
    assert_eq!(tracker.age(at(41)), Some(seconds(31)));
}

#[test]
fn the_scope_that_is_worst_off_counts() {
    let other: LogId = "parts.heartbeats@west/0".parse().unwrap();
    let mut tracker = HeartbeatTracker::new([companion(), other.clone()]);
    tracker.showed(at(10), [(&companion(), 0), (&other, 0)]);
    tracker.arrived(&companion(), beat(1, &[]));
    tracker.settle(&BTreeMap::new());
    assert_eq!(tracker.age(at(12)), None);
    tracker.showed(at(11), [(&companion(), 1), (&other, 0)]);
    tracker.arrived(&other, beat(1, &[]));
    tracker.settle(&BTreeMap::new());
    assert_eq!(tracker.age(at(12)), Some(seconds(2)));
}

#[test]
fn a_takeover_declares_per_log() {
    let mut tracker = HeartbeatTracker::new([companion()]);
    tracker.restore(&companion(), beat(1, &[(0, 5), (1, 3)]));
    tracker.showed(at(10), [(&log(0), 5), (&log(1), 3), (&log(2), 0)]);
    tracker.settle(&applied(&[(0, 5), (1, 3), (2, 0)]));
    tracker.showed(at(11), [(&log(0), 8), (&log(1), 4), (&log(2), 0)]);
    let here = applied(&[(0, 6), (1, 4), (2, 0)]);
    tracker.settle(&here);
    let declared = tracker.declare(at(20), &here, &known(&[(0, 8), (1, 4), (2, 0)]));
    let expected = BTreeMap::from([(log(0), exposure(Some(10), 2)), (log(1), exposure(Some(9), 0))]);
    assert_eq!(declared, expected);
}

#[test]
fn what_was_held_before_this_process_has_no_age() {
    let mut tracker = HeartbeatTracker::new([companion()]);
    tracker.restore(&companion(), beat(7, &[(0, 5)]));
    // Shown by the first read: it may be as old as the source.
    shows(&mut tracker, 1, 8);
    assert!(tracker.arrived(&companion(), beat(8, &[(0, 5)])));
    tracker.settle(&applied(&[(0, 5)]));
    assert_eq!(tracker.age(at(1)), None);
    assert!(!tracker.arrived(&companion(), beat(8, &[(0, 5)])));
    assert_eq!(tracker.named_counts().collect::<Vec<_>>(), [(&log(0), 5)]);
    let declared = tracker.declare(at(3), &applied(&[(0, 4)]), &known(&[(0, 5)]));
    assert_eq!(declared, BTreeMap::from([(log(0), exposure(None, 1))]));
}

#[test]
fn a_log_that_moved_away_with_a_tail_is_still_declared() {
    let mut tracker = HeartbeatTracker::new([companion()]);
    shows(&mut tracker, 10, 0);
    tracker.arrived(&companion(), beat(1, &[(0, 5)]));
    tracker.arrived(&companion(), beat(2, &[]));
    let here = applied(&[(0, 3)]);
    tracker.settle(&here);
    let declared = tracker.declare(at(12), &here, &known(&[(0, 5)]));
    assert_eq!(declared, BTreeMap::from([(log(0), exposure(None, 2))]));
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

/// What happens at the source and between it and the mirror, each after a pause.
#[derive(Debug, Clone, Copy)]
enum Act {
    Append,
    /// The ends that the next heartbeat names are read.
    ReadForBeat,
    /// It is durable.
    Beat,
    /// The link's read is sent.
    Ask,
    /// The source answers it.
    Answer,
    /// Its answer has arrived: what it showed may be copied, companions first.
    Arrive,
    /// So many records of the log are copied.
    Copy(u64),
    Forget,
}

fn acts() -> impl Strategy<Value = Vec<(u64, Act)>> {
    let act = prop_oneof![
        4 => Just(Act::Append),
        2 => Just(Act::ReadForBeat),
        2 => Just(Act::Beat),
        3 => Just(Act::Ask),
        3 => Just(Act::Answer),
        3 => Just(Act::Arrive),
        3 => (0..4_u64).prop_map(Act::Copy),
        1 => Just(Act::Forget),
    ];
    prop::collection::vec((0..5_u64, act), 0..200)
}

/// A source, a mirror and the link between them.
#[derive(Debug, Default)]
struct World {
    now: u64,
    written: Vec<u64>,
    to_name: Option<u64>,
    // When each heartbeat was written, and what it names.
    beats: Vec<(u64, u64)>,
    asked: Option<u64>,
    answered: Option<(u64, u64, u64)>,
    // What the last read showed, and how far the mirror is.
    shown: u64,
    have: u64,
    beats_here: u64,
}

impl World {
    fn act(&mut self, act: Act, tracker: &mut HeartbeatTracker) {
        match act {
            Act::Append => self.written.push(self.now),
            Act::ReadForBeat => self.to_name = Some(self.written.len() as u64),
            Act::Beat => self.beats.extend(self.to_name.take().map(|end| (self.now, end))),
            Act::Ask => (self.asked, self.answered) = (Some(self.now), None),
            Act::Answer => {
                let counts = (self.written.len() as u64, self.beats.len() as u64);
                self.answered = self.asked.take().map(|asked| (asked, counts.0, counts.1));
            }
            Act::Arrive => {
                let Some((asked, records, beats)) = self.answered.take() else { return };
                tracker.showed(at(asked), [(&log(0), records), (&companion(), beats)]);
                for sequence in self.beats_here + 1..=beats {
                    let (_, end) = self.beats[usize::try_from(sequence).unwrap() - 1];
                    tracker.arrived(&companion(), beat(sequence, &[(0, end)]));
                }
                (self.shown, self.beats_here) = (records, beats);
            }
            Act::Copy(records) => self.have = (self.have + records).min(self.shown),
            Act::Forget => {
                *tracker = HeartbeatTracker::new([companion()]);
                if let Some((_, end)) = self.beats[..usize::try_from(self.beats_here).unwrap()].last() {
                    tracker.restore(&companion(), beat(self.beats_here, &[(0, *end)]));
                }
                (self.asked, self.answered) = (None, None);
            }
        }
        tracker.settle(&BTreeMap::from([(log(0), prefix(self.have)), (companion(), prefix(self.beats_here))]));
    }
}

proptest! {
    /// Whatever is slow, lost or late: nothing older than what is declared is missing, and the newest
    /// applied heartbeat is no older than its age.
    #[test]
    fn what_is_declared_is_a_bound(acts in acts()) {
        let (mut world, mut tracker) = (World::default(), HeartbeatTracker::new([companion()]));
        for (pause, act) in acts {
            world.now += pause;
            world.act(act, &mut tracker);
            let here = applied(&[(0, world.have)]);
            let declared = tracker.declare(at(world.now), &here, &known(&[(0, world.shown)]));
            if let (Some(exposure), Some(missing)) =
                (declared.get(&log(0)), world.written.get(usize::try_from(world.have).unwrap()))
                && let Some(declared) = exposure.declared_seconds
            {
                let held = seconds(world.now - missing).as_secs_f64();
                prop_assert!(declared >= held, "declared {declared}, missing since {held}: {world:?}");
            }
            if let Some(age) = tracker.age(at(world.now)) {
                let beats = &world.beats[..usize::try_from(world.beats_here).unwrap()];
                let applied = beats.iter().filter(|(_, end)| *end <= world.have).map(|(written, _)| *written).max();
                let truth = seconds(world.now - applied.unwrap());
                prop_assert!(age >= truth, "age {age:?}, written {truth:?} ago: {world:?}");
            }
        }
    }

    /// However many wait, memory is bounded, and forgetting some never makes the lag look younger.
    #[test]
    fn thinning_is_bounded_and_never_younger(beats in 1_u64..5_000, reached in 0_u64..5_000) {
        let mut tracker = HeartbeatTracker::new([companion()]);
        for sequence in 1..=beats {
            tracker.showed(at(sequence), [(&companion(), sequence - 1), (&log(0), sequence)]);
            tracker.arrived(&companion(), beat(sequence, &[(0, sequence)]));
        }
        prop_assert!(tracker.companions[&companion()].waiting.len() <= WAITING_MAX);
        tracker.settle(&applied(&[(0, reached)]));
        let now = at(10_000);
        let truth = reached.min(beats);
        match tracker.age(now) {
            Some(age) => prop_assert!(age >= now.since(at(truth))),
            None => prop_assert!(reached < beats),
        }
        match tracker.reads.complete_as_of(&log(0)) {
            Some(complete) => prop_assert!(complete <= at(truth)),
            None => prop_assert!(reached < beats),
        }
    }
}

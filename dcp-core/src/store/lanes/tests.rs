//! What goes together, who is answered what, and what becomes of a lane whose task is cut off.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use super::{BYTES_MAX, GROUP_MAX, Job, Lane, LaneTasks, RECORDS_MAX, Serving, WAITING_MAX, Writes, lock};
use crate::error::{Error, Failure};
use crate::event::{EventId, NewEvent, StreamId};
use crate::ids::{RegionId, ScopeId};
use crate::log::LogId;
use crate::ports::event_store::{Appended, OwnerBatch};
use crate::position::PrefixDigest;
use crate::store::work::{Done, Work};

/// How a group ends.
#[derive(Debug)]
enum End {
    Written,
    /// Batches of two events are refused, the others written.
    PairsRefused,
    Doubt,
    Panic,
}

/// Begins no group without a permit, and keeps how many batches each had.
#[derive(Debug)]
struct Recorder {
    permits: Arc<Semaphore>,
    groups: Arc<Mutex<Vec<usize>>>,
    // Of the groups to come; written from then on.
    ends: Mutex<VecDeque<End>>,
}

impl Writes for Recorder {
    type Asked = Work;

    async fn write(&self, group: Vec<Work>) -> Result<Vec<Result<Done, Error>>, Failure> {
        self.permits.acquire().await.unwrap().forget();
        lock(&self.groups).push(group.len());
        let end = lock(&self.ends).pop_front().unwrap_or(End::Written);
        let refuses = match end {
            End::Written => false,
            End::PairsRefused => true,
            End::Doubt => return Err(Failure::in_doubt("test", "not known")),
            End::Panic => panic!("as the test asked"),
        };
        // Each batch is answered its own count, so that a swapped answer is seen.
        let answer = |work: Work| match work.records() {
            2 if refuses => Err(Error::conflict("test", "refused")),
            count => {
                let prefix = PrefixDigest { count: count as u64, ..PrefixDigest::EMPTY };
                Ok(Done::Appended(Appended { acks: Vec::new(), prefix }))
            }
        };
        Ok(group.into_iter().map(answer).collect())
    }
}

struct Bench {
    lane: Arc<Lane<Recorder>>,
    tasks: Arc<LaneTasks>,
    permits: Arc<Semaphore>,
    groups: Arc<Mutex<Vec<usize>>>,
    callers: JoinSet<(usize, Result<Done, Failure>)>,
}

impl Bench {
    fn new(ends: impl IntoIterator<Item = End>) -> Self {
        let (permits, groups) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::default()));
        let ends = Mutex::new(ends.into_iter().collect());
        let recorder = Recorder { permits: Arc::clone(&permits), groups: Arc::clone(&groups), ends };
        Self { lane: Lane::new(recorder), tasks: Arc::default(), permits, groups, callers: JoinSet::new() }
    }

    /// The first group alone, which holds the others back until there is a permit.
    async fn held(ends: impl IntoIterator<Item = End>) -> Self {
        let mut bench = Self::new(ends);
        bench.call(append(1, 0));
        settle().await;
        bench
    }

    fn call(&mut self, work: Work) {
        let (lane, tasks, events) = (Arc::clone(&self.lane), Arc::clone(&self.tasks), work.records());
        self.callers.spawn(async move { (events, lane.submit(&tasks, work).await) });
    }

    /// Lets all groups go, and answers what each batch of so many events was told, in their order.
    async fn told(&mut self) -> Vec<(usize, String)> {
        self.permits.add_permits(Semaphore::MAX_PERMITS / 2);
        let mut told = Vec::new();
        while let Some(answer) = self.callers.join_next().await {
            let (events, outcome) = answer.unwrap();
            told.push((events, name(outcome)));
        }
        told.sort();
        told
    }

    fn groups(&self) -> Vec<usize> {
        lock(&self.groups).clone()
    }
}

fn name(outcome: Result<Done, Failure>) -> String {
    match outcome {
        Ok(Done::Appended(appended)) => appended.prefix.count.to_string(),
        Ok(Done::Copied(prefix)) => format!("copied {}", prefix.count),
        Err(Failure::NotApplied(error)) => format!("not applied: {}", error.code()),
        Err(Failure::InDoubt(doubt)) => format!("in doubt: {}", doubt.code()),
    }
}

/// Every task goes on as far as it can; the runtime comes back here after some sixty of them.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

fn append(events: usize, payload: usize) -> Work {
    let log = LogId::new(ScopeId::new("orders").unwrap(), RegionId::new("west").unwrap(), 0);
    let payload = Bytes::from(vec![0; payload]);
    let event = NewEvent::new(EventId::from_bytes([7; 16]), StreamId::new("order-1"), "placed", payload);
    Work::Append(OwnerBatch::new(log, vec![event; events]))
}

// The same weight in its key and in a header.
fn without_payload(bytes: usize) -> Work {
    let Work::Append(mut batch) = append(1, 0) else { unreachable!() };
    batch.events[0].key = Some(Bytes::from(vec![0; bytes / 2]));
    batch.events[0].headers = vec![(String::new(), Bytes::from(vec![0; bytes - bytes / 2]))];
    Work::Append(batch)
}

fn told(pairs: &[(usize, &str)]) -> Vec<(usize, String)> {
    pairs.iter().map(|(events, told)| (*events, (*told).to_owned())).collect()
}

#[tokio::test]
async fn what_came_meanwhile_goes_together_and_each_is_told_its_own() {
    let mut bench = Bench::held([End::Written, End::PairsRefused]).await;
    for events in [4, 2, 3] {
        bench.call(append(events, 0));
    }
    settle().await;
    assert_eq!(bench.told().await, told(&[(1, "1"), (2, "not applied: test"), (3, "3"), (4, "4")]));
    assert_eq!(bench.groups(), [1, 3]);
}

#[tokio::test]
async fn a_doubt_is_that_of_the_whole_group_and_of_no_other() {
    let mut bench = Bench::held([End::Written, End::Doubt]).await;
    for events in [2, 3] {
        bench.call(append(events, 0));
    }
    settle().await;
    assert_eq!(bench.told().await, told(&[(1, "1"), (2, "in doubt: test"), (3, "in doubt: test")]));
    bench.call(append(4, 0));
    assert_eq!(bench.told().await, told(&[(4, "4")]));
}

#[tokio::test]
async fn a_group_is_bounded_in_batches_records_and_bytes() {
    let mut bench = Bench::held([]).await;
    for _ in 0..=GROUP_MAX {
        bench.call(append(1, 0));
    }
    // Alone it may be larger than a group.
    bench.call(append(RECORDS_MAX + 1, 0));
    bench.call(append(RECORDS_MAX, 0));
    bench.call(append(1, BYTES_MAX));
    bench.call(append(1, 1));
    bench.call(append(1, BYTES_MAX - 1));
    bench.call(without_payload(BYTES_MAX));
    bench.call(without_payload(1));
    settle().await;
    bench.told().await;
    assert_eq!(bench.groups(), [1, GROUP_MAX, 1, 1, 1, 1, 2, 1, 1]);
}

#[tokio::test]
async fn no_more_than_the_bound_wait_at_a_lane() {
    let mut bench = Bench::held([]).await;
    for _ in 0..WAITING_MAX + 10 {
        bench.call(append(1, 0));
    }
    settle().await;
    assert_eq!(lock(&bench.lane.waiting).jobs.len(), WAITING_MAX);
    assert_eq!(bench.told().await.len(), 1 + WAITING_MAX + 10);
}

#[tokio::test]
async fn who_was_just_answered_goes_with_those_who_wait() {
    let mut bench = Bench::new([]);
    for _ in 0..3 {
        let (lane, tasks) = (Arc::clone(&bench.lane), Arc::clone(&bench.tasks));
        bench.callers.spawn(async move {
            lane.submit(&tasks, append(1, 0)).await.unwrap();
            (1, lane.submit(&tasks, append(1, 0)).await)
        });
        settle().await;
    }
    // One is under way and two wait: the one is answered, and goes with the two.
    bench.told().await;
    assert_eq!(bench.groups(), [1, 3, 2]);
}

#[tokio::test]
async fn a_caller_who_goes_away_cuts_nobody_off() {
    let mut bench = Bench::held([]).await;
    bench.callers.abort_all();
    settle().await;
    bench.call(append(2, 0));
    settle().await;
    bench.permits.add_permits(2);
    settle().await;
    assert_eq!(bench.groups(), [1, 1]);
}

#[tokio::test]
async fn a_task_that_panics_leaves_doubts_and_a_lane_that_goes_on() {
    let mut bench = Bench::held([End::Panic]).await;
    bench.call(append(2, 0));
    settle().await;
    assert_eq!(bench.told().await, told(&[(1, "in doubt: store-closed"), (2, "in doubt: store-closed")]));
    bench.call(append(3, 0));
    assert_eq!(bench.told().await, told(&[(3, "3")]));
}

#[tokio::test]
async fn a_task_that_is_aborted_leaves_doubts_also_before_it_began() {
    let mut bench = Bench::held([]).await;
    bench.call(append(2, 0));
    settle().await;
    lock(&bench.tasks.0).abort_all();
    assert_eq!(bench.told().await, told(&[(1, "in doubt: store-closed"), (2, "in doubt: store-closed")]));

    let lane = Arc::clone(&bench.lane);
    let mut never_polled = Box::pin(lane.submit(&bench.tasks, append(3, 0)));
    assert!(is_pending(&mut never_polled).await);
    lock(&bench.tasks.0).abort_all();
    let answered = tokio::time::timeout(Duration::from_secs(5), never_polled).await;
    assert_eq!(name(answered.unwrap()), "in doubt: store-closed");
    bench.call(append(4, 0));
    assert_eq!(bench.told().await, told(&[(4, "4")]));
}

/// Polls once, and says whether it has to be polled again.
async fn is_pending(future: &mut (impl Future + Unpin)) -> bool {
    std::future::poll_fn(|context| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending()))
        .await
}

// Between a task's last look at its lane and its end, the lane may have become another task's.
#[tokio::test]
async fn a_task_that_ended_well_takes_nothing_from_the_next_one() {
    let bench = Bench::new([]);
    let mut serving = Serving { lane: Arc::clone(&bench.lane), cut_off: true };
    assert!(serving.lane.take_group().is_none());
    serving.done();
    let (answer, _answered) = oneshot::channel();
    let place = Arc::clone(&bench.lane.places).acquire_owned().await.unwrap();
    {
        let mut waiting = lock(&bench.lane.waiting);
        waiting.jobs.push_back(Job { asked: append(1, 0), answer, _place: place });
        waiting.served = true;
    }
    drop(serving);
    assert!(lock(&bench.lane.waiting).served);
    assert_eq!(bench.lane.take_group().map(|jobs| jobs.len()), Some(1));
}

//! Batches that wait at one log go together: one transaction for all that came while the one before
//! was under way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinSet;

use super::group::{self, Asked, Done, Work};
use super::server::Server;
use super::tail::Tail;
use crate::error::{Error, Failure};
use crate::log::LogId;
use crate::position::LogIncarnation;
use crate::store::wakers::Wakers;

/// Most batches that wait at one log; further callers wait before they hand theirs over.
const WAITING_MAX: usize = 1_024;
/// Most batches of one transaction.
const GROUP_MAX: usize = 256;
/// Most records and most bytes of one transaction, unless one batch alone has more.
const RECORDS_MAX: usize = 10_000;
const BYTES_MAX: usize = 16 << 20;

type Answer = oneshot::Sender<Result<Done, Failure>>;

#[derive(Debug)]
struct Job {
    asked: Asked,
    answer: Answer,
    // Given back when the job's group begins.
    _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Lane {
    places: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
    // What the last group left; none while one is written, and after one whose outcome is not known.
    tail: Mutex<Option<Tail>>,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    // Whether a task takes them.
    served: bool,
}

/// The lanes of one store. Transactions are tasks of it, so that a caller who goes away cuts nobody
/// else's batch off; dropping it aborts them, and their batches are in doubt.
#[derive(Debug)]
pub(super) struct Lanes {
    server: Arc<Server>,
    incarnation: LogIncarnation,
    wakers: Arc<Wakers>,
    lanes: Mutex<BTreeMap<LogId, Arc<Lane>>>,
    tasks: Mutex<JoinSet<()>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lanes {
    pub(super) fn new(server: Arc<Server>, incarnation: LogIncarnation, wakers: Arc<Wakers>) -> Self {
        Self { server, incarnation, wakers, lanes: Mutex::default(), tasks: Mutex::default() }
    }

    /// Hands a batch over and waits for its outcome.
    pub(super) async fn submit(&self, log: &LogId, asked: Asked) -> Result<Done, Failure> {
        let lane = self.lane(log);
        let closed = || Failure::NotApplied(Error::stopped("store-closed", "the store was closed; open it again"));
        let place = Arc::clone(&lane.places).acquire_owned().await.map_err(|_| closed())?;
        let (answer, answered) = oneshot::channel();
        let begins = {
            let mut waiting = lock(&lane.waiting);
            waiting.jobs.push_back(Job { asked, answer, _place: place });
            !std::mem::replace(&mut waiting.served, true)
        };
        if begins {
            self.serve(log.clone(), Arc::clone(&lane));
        }
        let lost = || Failure::in_doubt("store-closed", "the store was dropped while the batch was under way");
        answered.await.unwrap_or_else(|_| Err(lost()))
    }

    fn lane(&self, log: &LogId) -> Arc<Lane> {
        let places = || Arc::new(Semaphore::new(WAITING_MAX));
        let new = || Arc::new(Lane { places: places(), waiting: Mutex::default(), tail: Mutex::default() });
        Arc::clone(lock(&self.lanes).entry(log.clone()).or_insert_with(new))
    }

    fn serve(&self, log: LogId, lane: Arc<Lane>) {
        let (server, wakers, incarnation) = (Arc::clone(&self.server), Arc::clone(&self.wakers), self.incarnation);
        let mut tasks = lock(&self.tasks);
        while let Some(ended) = tasks.try_join_next() {
            if let Err(cause) = ended {
                tracing::error!(%cause, "a task of the event store ended without an outcome");
            }
        }
        tasks.spawn(async move {
            let lane = Serving(lane);
            while let Some(jobs) = lane.0.take_group() {
                let (asked, answers): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.asked, job.answer)).unzip();
                let mut tail = lock(&lane.0.tail).take();
                let outcome = group::write(&server, &log, incarnation, asked, &mut tail).await;
                *lock(&lane.0.tail) = tail;
                wakers.wake(&log);
                tell(answers, outcome);
                // Those who were answered may have more: what they hand over now goes together, instead of
                // the first of it alone.
                tokio::task::yield_now().await;
            }
        });
    }
}

/// A task that takes a lane's groups. However it ends, nobody waits at the lane for a task that is
/// gone: those who do are in doubt, and the next caller starts another.
struct Serving(Arc<Lane>);

impl Drop for Serving {
    fn drop(&mut self) {
        let mut waiting = lock(&self.0.waiting);
        if std::mem::take(&mut waiting.served) {
            waiting.jobs.clear();
        }
    }
}

// A caller who has gone away no longer needs its outcome.
fn tell(answers: Vec<Answer>, outcome: Result<Vec<Result<Done, Error>>, Failure>) {
    match outcome {
        Ok(done) => {
            for (answer, done) in answers.into_iter().zip(done) {
                let _ = answer.send(done.map_err(Failure::NotApplied));
            }
        }
        Err(failure) => {
            for answer in answers {
                let _ = answer.send(Err(failure.clone()));
            }
        }
    }
}

impl Lane {
    /// The next group; none if nobody waits, and then the next caller starts another task.
    fn take_group(&self) -> Option<Vec<Job>> {
        let mut waiting = lock(&self.waiting);
        let (mut jobs, mut records, mut bytes) = (Vec::new(), 0, 0);
        while let Some(job) = waiting.jobs.front() {
            let (more, larger) = (records + job.asked.records(), bytes + job.asked.bytes());
            if !jobs.is_empty() && (jobs.len() >= GROUP_MAX || more > RECORDS_MAX || larger > BYTES_MAX) {
                break;
            }
            (records, bytes) = (more, larger);
            jobs.extend(waiting.jobs.pop_front());
        }
        waiting.served = !jobs.is_empty();
        waiting.served.then_some(jobs)
    }
}

impl Asked {
    fn records(&self) -> usize {
        match &self.work {
            Work::Append(batch) => batch.events.len(),
            Work::Copy(batch) => batch.records.len(),
        }
    }

    // Of payloads, which are what can be large.
    fn bytes(&self) -> usize {
        match &self.work {
            Work::Append(batch) => batch.events.iter().map(|event| event.payload.len()).sum(),
            Work::Copy(batch) => batch.records.iter().map(|record| record.payload.len()).sum(),
        }
    }
}

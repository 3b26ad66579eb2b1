//! Batches that wait at one log go together: one transaction for all that came while the one before
//! was under way.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinSet;

use crate::error::{Error, Failure};
use crate::ports::event_store::{Appended, CopyBatch, OwnerBatch};
use crate::position::PrefixDigest;

/// Most batches that wait at one log; further callers wait before they hand theirs over.
const WAITING_MAX: usize = 1_024;
/// Most batches of one transaction.
const GROUP_MAX: usize = 256;
/// Most records and most bytes of one transaction, unless one batch alone has more.
const RECORDS_MAX: usize = 10_000;
const BYTES_MAX: usize = 16 << 20;

/// What one caller asks.
#[derive(Debug)]
pub(crate) enum Work {
    Append(OwnerBatch),
    Copy(CopyBatch),
}

/// What it is answered.
#[derive(Debug)]
pub(crate) enum Done {
    Appended(Appended),
    Copied(PrefixDigest),
}

/// Writes the groups of one lane, one after the other.
pub(crate) trait Writes: fmt::Debug + Send + Sync + 'static {
    /// One answer for each batch, in order. An error is that of all of them.
    fn write(&self, group: Vec<Work>) -> impl Future<Output = Result<Vec<Result<Done, Error>>, Failure>> + Send;
}

type Answer = oneshot::Sender<Result<Done, Failure>>;

#[derive(Debug)]
struct Job {
    work: Work,
    answer: Answer,
    // Given back when the job's group begins.
    _place: OwnedSemaphorePermit,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    // Whether a task takes them.
    served: bool,
}

/// Where the batches of one writer and log wait.
#[derive(Debug)]
pub(crate) struct Lane<W> {
    places: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
    writes: W,
}

/// The tasks of all lanes of a store. Transactions are tasks of it, so that a caller who goes away cuts
/// nobody else's batch off; dropping it aborts them, and their batches are in doubt.
#[derive(Debug, Default)]
pub(crate) struct LaneTasks(Mutex<JoinSet<()>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LaneTasks {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.0);
        while let Some(ended) = tasks.try_join_next() {
            if let Err(cause) = ended {
                tracing::error!(%cause, "a task of the event store ended without an outcome");
            }
        }
        tasks.spawn(task);
    }
}

impl<W: Writes> Lane<W> {
    pub(crate) fn new(writes: W) -> Arc<Self> {
        Arc::new(Self { places: Arc::new(Semaphore::new(WAITING_MAX)), waiting: Mutex::default(), writes })
    }

    /// Hands a batch over and waits for its outcome.
    pub(crate) async fn submit(self: &Arc<Self>, tasks: &LaneTasks, work: Work) -> Result<Done, Failure> {
        let closed = || Failure::NotApplied(Error::stopped("store-closed", "the store was closed; open it again"));
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| closed())?;
        let (answer, answered) = oneshot::channel();
        let begins = {
            let mut waiting = lock(&self.waiting);
            waiting.jobs.push_back(Job { work, answer, _place: place });
            !std::mem::replace(&mut waiting.served, true)
        };
        if begins {
            let mut serving = Serving { lane: Arc::clone(self), cut_off: true };
            tasks.spawn(async move {
                while let Some(jobs) = serving.lane.take_group() {
                    let (group, answers): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.work, job.answer)).unzip();
                    tell(answers, serving.lane.writes.write(group).await);
                }
                serving.done();
            });
        }
        let lost = || Failure::in_doubt("store-closed", "the store was dropped while the batch was under way");
        answered.await.unwrap_or_else(|_| Err(lost()))
    }

    /// The next group; none if nobody waits, and then the next caller starts another task.
    fn take_group(&self) -> Option<Vec<Job>> {
        let mut waiting = lock(&self.waiting);
        let (mut jobs, mut records, mut bytes) = (Vec::new(), 0, 0);
        while let Some(job) = waiting.jobs.front() {
            let (more, larger) = (records + job.work.records(), bytes + job.work.bytes());
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

/// A task that takes a lane's groups. However it ends, nobody waits at the lane for a task that is
/// gone: those who do are in doubt, and the next caller starts another.
struct Serving<W> {
    lane: Arc<Lane<W>>,
    /// False once it has seen that nobody waits: from then on the lane may be another task's.
    cut_off: bool,
}

impl<W> Serving<W> {
    fn done(&mut self) {
        self.cut_off = false;
    }
}

impl<W> Drop for Serving<W> {
    fn drop(&mut self) {
        if self.cut_off {
            let mut waiting = lock(&self.lane.waiting);
            waiting.served = false;
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

impl Work {
    fn records(&self) -> usize {
        match self {
            Self::Append(batch) => batch.events.len(),
            Self::Copy(batch) => batch.records.len(),
        }
    }

    // Of payloads, which are what can be large.
    fn bytes(&self) -> usize {
        match self {
            Self::Append(batch) => batch.events.iter().map(|event| event.payload.len()).sum(),
            Self::Copy(batch) => batch.records.iter().map(|record| record.payload.len()).sum(),
        }
    }
}

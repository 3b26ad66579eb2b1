//! Batches that wait at one log go together: one transaction for all that came while the one before
//! was under way.

mod group;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinSet;

pub(crate) use group::{ids_of, streams_of};

use super::work::{Done, Work};
use crate::error::{Error, Failure};

/// Most batches that wait at one log; further callers wait before they hand theirs over.
const WAITING_MAX: usize = 1_024;
/// Most batches of one transaction.
const GROUP_MAX: usize = 256;
/// Most records and most bytes of one transaction, unless one batch alone has more.
const RECORDS_MAX: usize = 10_000;
const BYTES_MAX: usize = 16 << 20;

/// Writes the groups of one lane, one after the other.
pub(crate) trait Writes: fmt::Debug + Send + Sync + 'static {
    /// What waits at the lane: a batch, and whose it is where sessions share the lane.
    type Asked: AsRef<Work> + fmt::Debug + Send + 'static;

    /// One answer for each batch, in order. An error is that of all of them.
    fn write(&self, group: Vec<Self::Asked>) -> impl Future<Output = Result<Vec<Result<Done, Error>>, Failure>> + Send;
}

type Answer = oneshot::Sender<Result<Done, Failure>>;

#[derive(Debug)]
struct Job<A> {
    asked: A,
    answer: Answer,
    // Given back when the job's group begins.
    _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Waiting<A> {
    jobs: VecDeque<Job<A>>,
    // Whether a task takes them.
    served: bool,
}

/// Where the batches for one log wait, of one session or of several.
#[derive(Debug)]
pub(crate) struct Lane<W: Writes> {
    places: Arc<Semaphore>,
    waiting: Mutex<Waiting<W::Asked>>,
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
        let waiting = Mutex::new(Waiting { jobs: VecDeque::new(), served: false });
        Arc::new(Self { places: Arc::new(Semaphore::new(WAITING_MAX)), waiting, writes })
    }

    /// Who writes the groups.
    #[cfg(feature = "postgres")]
    pub(crate) fn writes(&self) -> &W {
        &self.writes
    }

    /// Hands a batch over and waits for its outcome.
    pub(crate) async fn submit(self: &Arc<Self>, tasks: &LaneTasks, asked: W::Asked) -> Result<Done, Failure> {
        let closed = || Failure::NotApplied(Error::stopped("store-closed", "the store was closed; open it again"));
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| closed())?;
        let (answer, answered) = oneshot::channel();
        let begins = {
            let mut waiting = lock(&self.waiting);
            waiting.jobs.push_back(Job { asked, answer, _place: place });
            !std::mem::replace(&mut waiting.served, true)
        };
        if begins {
            let mut serving = Serving { lane: Arc::clone(self), cut_off: true };
            tasks.spawn(async move {
                while let Some(jobs) = serving.lane.take_group() {
                    let (group, answers): (Vec<_>, Vec<_>) =
                        jobs.into_iter().map(|job| (job.asked, job.answer)).unzip();
                    tell(answers, serving.lane.writes.write(group).await);
                    // Those who were answered may have more: what they hand over now goes together, instead
                    // of the first of it alone.
                    tokio::task::yield_now().await;
                }
                serving.done();
            });
        }
        let lost = || Failure::in_doubt("store-closed", "the store was dropped while the batch was under way");
        answered.await.unwrap_or_else(|_| Err(lost()))
    }

    /// The next group; none if nobody waits, and then the next caller starts another task.
    fn take_group(&self) -> Option<Vec<Job<W::Asked>>> {
        let mut waiting = lock(&self.waiting);
        let (mut jobs, mut records, mut bytes) = (Vec::new(), 0, 0);
        while let Some(job) = waiting.jobs.front() {
            let work = job.asked.as_ref();
            let (more, larger) = (records + work.records(), bytes + work.bytes());
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
struct Serving<W: Writes> {
    lane: Arc<Lane<W>>,
    /// False once it has seen that nobody waits: from then on the lane may be another task's.
    cut_off: bool,
}

impl<W: Writes> Serving<W> {
    fn done(&mut self) {
        self.cut_off = false;
    }
}

impl<W: Writes> Drop for Serving<W> {
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

//! The one thread that writes.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use redb::WriteTransaction;
use tokio::sync::{oneshot, watch};

use super::fault::Fault;
use super::file::{Refusal, StoreFile, durable};
use super::queue::{Job, Queue};
use super::settings::GroupCommit;
use crate::error::{Error, Failure};

/// What one request came to, within the group's transaction.
#[derive(Debug)]
pub(crate) struct Applied<A> {
    /// Given to the caller once the group is durable.
    pub(crate) answer: Result<A, Error>,
    /// Whether it wrote something.
    pub(crate) wrote: bool,
}

impl<A> Applied<A> {
    /// Something was written.
    pub(crate) fn written(answer: A) -> Self {
        Self { answer: Ok(answer), wrote: true }
    }

    /// Nothing was written.
    pub(crate) fn unwritten(answer: Result<A, Error>) -> Self {
        Self { answer, wrote: false }
    }

    /// The same with another answer.
    pub(crate) fn map<B>(self, answer: impl FnOnce(A) -> B) -> Applied<B> {
        Applied { answer: self.answer.map(answer), wrote: self.wrote }
    }
}

/// How requests change a file. Refusals are answers; only faults end the group.
pub(crate) trait Ledger: Send + 'static {
    type Request: Send + 'static;
    type Answer: Send + 'static;
    /// The file's tables, open for one group.
    type Tables<'txn>;

    fn open<'txn>(&self, transaction: &'txn WriteTransaction) -> Result<Self::Tables<'txn>, Fault>;

    fn apply(&mut self, tables: &mut Self::Tables<'_>, request: Self::Request) -> Result<Applied<Self::Answer>, Fault>;

    /// Before the commit of a group that wrote something.
    fn seal_group(&mut self, _tables: &mut Self::Tables<'_>) -> Result<(), Fault> {
        Ok(())
    }

    /// After the commit, before the answers.
    fn committed(&mut self) {}
}

type Waiters<L> = Queue<<L as Ledger>::Request, <L as Ledger>::Answer>;
type Jobs<L> = Vec<Job<<L as Ledger>::Request, <L as Ledger>::Answer>>;

/// Owns the thread: joined on close, and on drop at the latest.
pub(crate) struct Committer<L: Ledger> {
    file: Arc<StoreFile>,
    queue: Arc<Waiters<L>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    ended: watch::Receiver<()>,
}

impl<L: Ledger> fmt::Debug for Committer<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committer").field("path", &self.file.path()).finish_non_exhaustive()
    }
}

/// Puts requests to the thread; answers `Stopped` once the store is closed.
pub(crate) struct Submitter<L: Ledger> {
    file: Arc<StoreFile>,
    queue: Arc<Waiters<L>>,
}

impl<L: Ledger> Clone for Submitter<L> {
    fn clone(&self) -> Self {
        Self { file: Arc::clone(&self.file), queue: Arc::clone(&self.queue) }
    }
}

impl<L: Ledger> fmt::Debug for Submitter<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitter").field("path", &self.file.path()).finish_non_exhaustive()
    }
}

impl<L: Ledger> Submitter<L> {
    /// Waits for room, then for the durable answer.
    pub(crate) async fn submit(&self, request: L::Request, bytes: usize) -> Result<L::Answer, Failure> {
        if let Some(error) = self.file.stopped() {
            return Err(Failure::NotApplied(error));
        }
        match self.queue.push(request, bytes).await {
            None => Err(Failure::NotApplied(self.file.stopped().unwrap_or_else(closing))),
            // The thread answers every job it takes; a lost answer means that it died on the way.
            Some(answered) => answered.await.unwrap_or_else(|_| {
                Err(Failure::in_doubt("committer-ended", "the store's thread ended before it answered"))
            }),
        }
    }
}

fn closing() -> Error {
    Error::stopped("store-closed", "the store is closing; open it again")
}

impl<L: Ledger> Committer<L> {
    /// Starts the thread.
    pub(crate) fn start(file: Arc<StoreFile>, limits: GroupCommit, ledger: L) -> Result<Self, Error> {
        let queue = Arc::new(Queue::new(limits));
        let (end, ended) = watch::channel(());
        let work = { (Arc::clone(&file), Arc::clone(&queue)) };
        let thread = std::thread::Builder::new()
            .name("embedded-commit".to_owned())
            .spawn(move || {
                let (file, queue) = work;
                run(&file, &queue, ledger);
                // Dropped last, also by a panic: who closes the store waits for it.
                drop(end);
            })
            .map_err(|cause| Error::retry("no-thread", format!("cannot start the store's thread: {cause}")))?;
        Ok(Self { file, queue, thread: Mutex::new(Some(thread)), ended })
    }

    /// For those who submit requests.
    pub(crate) fn submitter(&self) -> Submitter<L> {
        Submitter { file: Arc::clone(&self.file), queue: Arc::clone(&self.queue) }
    }

    /// Commits what waits, ends the thread, closes the file.
    ///
    /// Cancel safe: dropped, the store stays closing, and its drop waits for the rest.
    pub(crate) async fn close(&self) {
        self.queue.close();
        let mut ended = self.ended.clone();
        // Nothing is ever sent: the only news is that the sender is gone.
        while ended.changed().await.is_ok() {}
        self.finish();
    }

    fn finish(&self) {
        self.queue.close();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A panic was reported by its hook and poisons the store; the waiting are in doubt.
            let _panicked = thread.join();
        }
        self.file.close();
    }
}

impl<L: Ledger> Drop for Committer<L> {
    fn drop(&mut self) {
        self.finish();
    }
}

fn run<L: Ledger>(file: &StoreFile, queue: &Waiters<L>, mut ledger: L) {
    let _leaving = Leaving { file, queue };
    while let Some(group) = queue.take_group() {
        commit_group(file, &mut ledger, group);
        if file.stopped().is_some() {
            return;
        }
    }
}

/// However the thread ends, nobody waits for it any longer.
struct Leaving<'a, R, A> {
    file: &'a StoreFile,
    queue: &'a Queue<R, A>,
}

impl<R, A> Drop for Leaving<'_, R, A> {
    fn drop(&mut self) {
        self.file.stop(closing());
        self.queue.close();
        let refusal = Failure::NotApplied(self.file.stopped().unwrap_or_else(closing));
        // What waited behind a failed group was not begun.
        while let Some(group) = self.queue.take_group() {
            answer_all(group.into_iter().map(|job| job.answer), &refusal);
        }
    }
}

fn answer_all<A>(callers: impl IntoIterator<Item = oneshot::Sender<Result<A, Failure>>>, failure: &Failure) {
    for caller in callers {
        // A caller that has gone away wants no answer.
        let _gone = caller.send(Err(failure.clone()));
    }
}

/// How far a group came.
enum Reached<A> {
    Answers(Vec<Applied<A>>),
    FailedBeforeCommit(Fault),
    FailedInCommit(Fault),
}

fn commit_group<L: Ledger>(file: &StoreFile, ledger: &mut L, group: Jobs<L>) {
    let (requests, callers): (Vec<_>, Vec<_>) = group.into_iter().map(|job| (job.request, job.answer)).unzip();
    let mut in_commit = false;
    let reached = match file.with(|database| apply_all(durable(database)?, ledger, requests, &mut in_commit)) {
        Ok(answers) => Reached::Answers(answers),
        Err(Refusal::Fault(fault)) if in_commit => Reached::FailedInCommit(fault),
        Err(Refusal::Fault(fault)) => Reached::FailedBeforeCommit(fault),
        Err(Refusal::Stopped(error)) => return answer_all(callers, &Failure::NotApplied(error)),
    };
    match reached {
        Reached::Answers(answers) => {
            for (caller, applied) in callers.into_iter().zip(answers) {
                let _gone = caller.send(applied.answer.map_err(Failure::NotApplied));
            }
        }
        Reached::FailedBeforeCommit(fault) => {
            file.stop(fault.poison(file.path()));
            answer_all(callers, &Failure::NotApplied(fault.error(file.path())));
        }
        // The last sync failed: the disk may hold the group or not, and a new opening will show.
        Reached::FailedInCommit(fault) => {
            file.stop(fault.poison(file.path()));
            let message = format!("{}; open the store again and look", fault.error(file.path()).message());
            answer_all(callers, &Failure::in_doubt("commit-failed", message));
        }
    }
}

fn apply_all<L: Ledger>(
    transaction: WriteTransaction,
    ledger: &mut L,
    requests: Vec<L::Request>,
    in_commit: &mut bool,
) -> Result<Vec<Applied<L::Answer>>, Fault> {
    let mut tables = ledger.open(&transaction)?;
    let mut answers = Vec::with_capacity(requests.len());
    for request in requests {
        answers.push(ledger.apply(&mut tables, request)?);
    }
    let wrote = answers.iter().any(|applied| applied.wrote);
    if wrote {
        ledger.seal_group(&mut tables)?;
    }
    drop(tables);
    if wrote {
        *in_commit = true;
        transaction.commit()?;
        ledger.committed();
    } else {
        transaction.abort()?;
    }
    Ok(answers)
}

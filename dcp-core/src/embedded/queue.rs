//! The bounded queue between callers and the committing thread.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::settings::GroupCommit;
use crate::error::Failure;

/// One request that waits for its commit.
#[derive(Debug)]
pub(crate) struct Job<R, A> {
    pub(crate) request: R,
    pub(crate) answer: oneshot::Sender<Result<A, Failure>>,
    bytes: usize,
    // Room in the queue, given back when the job's group begins.
    _room: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Waiting<R, A> {
    jobs: VecDeque<Job<R, A>>,
    closed: bool,
}

/// Callers push and wait for room; one thread takes groups.
#[derive(Debug)]
pub(crate) struct Queue<R, A> {
    waiting: Mutex<Waiting<R, A>>,
    arrived: Condvar,
    room: Arc<Semaphore>,
    limits: GroupCommit,
}

impl<R, A> Queue<R, A> {
    pub(crate) fn new(limits: GroupCommit) -> Self {
        Self {
            waiting: Mutex::new(Waiting { jobs: VecDeque::new(), closed: false }),
            arrived: Condvar::new(),
            room: Arc::new(Semaphore::new(limits.max_waiting.clamp(1, Semaphore::MAX_PERMITS))),
            limits,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<R, A>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many places a request takes: one, or more if it is large, so that bytes are bounded too.
    fn places(&self, bytes: usize) -> u32 {
        let all = self.limits.max_waiting.max(1);
        let unit = (self.limits.max_waiting_bytes / all).max(1);
        u32::try_from(bytes.div_ceil(unit).clamp(1, all)).unwrap_or(u32::MAX)
    }

    /// Puts a request in, once there is room; none if the queue is closed.
    ///
    /// Dropped while it waits for room, it has put nothing in.
    pub(crate) async fn push(&self, request: R, bytes: usize) -> Option<oneshot::Receiver<Result<A, Failure>>> {
        let room = Arc::clone(&self.room).acquire_many_owned(self.places(bytes)).await.ok()?;
        let (answer, answered) = oneshot::channel();
        let mut waiting = self.lock();
        if waiting.closed {
            return None;
        }
        waiting.jobs.push_back(Job { request, answer, bytes, _room: room });
        self.arrived.notify_one();
        Some(answered)
    }

    /// Waits for requests and takes a group; none once the queue is closed and empty.
    pub(crate) fn take_group(&self) -> Option<Vec<Job<R, A>>> {
        let mut waiting = self
            .arrived
            .wait_while(self.lock(), |waiting| waiting.jobs.is_empty() && !waiting.closed)
            .unwrap_or_else(PoisonError::into_inner);
        let mut group = Vec::new();
        let mut bytes = 0;
        while group.len() < self.limits.max_requests.max(1) {
            match waiting.jobs.front() {
                Some(job) if group.is_empty() || bytes + job.bytes <= self.limits.max_bytes => bytes += job.bytes,
                _ => break,
            }
            group.extend(waiting.jobs.pop_front());
        }
        if group.is_empty() { None } else { Some(group) }
    }

    /// Takes no more requests; those that are in are still taken by the thread.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.room.close();
        self.arrived.notify_all();
    }
}
